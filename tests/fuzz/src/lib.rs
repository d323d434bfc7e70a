//! What reads hostile bytes, given any bytes: the gate, the engine's replies, the queue's messages.
//!
//! With the other tests each runs briefly, at random. `make fuzz` runs each for long, guided by coverage, and
//! keeps what it found below `src/__fuzz__`: the corpus stays on the machine, a crash is committed with its
//! cure, and replayed here ever after.

#![cfg(test)]

mod events;
mod gate;
mod replies;
