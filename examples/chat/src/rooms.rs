//! Rooms: who listens hears what is said.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// Messages that wait for the slowest listener of a room.
const MESSAGES_WAITING_MAX: usize = 64;

/// The rooms in which somebody has listened.
#[derive(Debug, Default)]
pub(crate) struct Rooms(Mutex<HashMap<String, Sender<String>>>);

impl Rooms {
    /// What is said in `room` from now on, as JSON.
    pub(crate) fn listen(&self, room: &str) -> Receiver<String> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || channel(MESSAGES_WAITING_MAX).0;
        rooms.entry(room.to_owned()).or_insert_with(new).subscribe()
    }

    /// Tells everybody who listens to `room`; a room without listeners is
    /// forgotten.
    pub(crate) fn say(&self, room: &str, user: &str, message: &str) {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(listeners) = rooms.get(room) else {
            return;
        };
        let message = json!({"from": user, "text": message});
        if listeners.send(message.to_string()).is_err() {
            rooms.remove(room);
        }
    }
}
