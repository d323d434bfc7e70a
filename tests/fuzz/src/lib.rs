//! Fuzzes the readers of hostile bytes: the gate, the engine's replies, the queue's messages.
//!
//! In `make test` each test runs briefly, on random input. `make fuzz` runs each for ten minutes, guided by
//! coverage, and keeps its findings below `src/__fuzz__`: the corpus stays on the machine, while an input
//! that crashed is committed with the fix and replayed by every later run.

#![cfg(test)]

mod events;
mod gate;
mod replies;
