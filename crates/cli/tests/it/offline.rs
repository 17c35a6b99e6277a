//! Transcripts: `tests/cmd/*.toml`, each a command with its whole output.

#[test]
fn every_transcript_is_what_usher_says() {
    trycmd::TestCases::new().case("tests/cmd/*.toml").run();
}
