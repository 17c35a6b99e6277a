//! Tokens from outside: what is made, what verifies, what is shown.
