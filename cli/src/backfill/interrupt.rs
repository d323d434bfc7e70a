//! Ctrl-C as a flag: the work ends between two commits, and not in one.

use std::time::Duration;

use tokio::sync::watch;

#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Takes Ctrl-C from now on.
    pub(crate) fn listen() -> Self {
        let (pressed, is_pressed) = watch::channel(false);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                let _ = pressed.send(true);
            }
        });
        Self(is_pressed)
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for `time`, or for Ctrl-C.
    pub(crate) async fn sleep(&self, time: Duration) {
        let mut pressed = self.0.clone();
        tokio::select! {
            Ok(_) = pressed.wait_for(|is_pressed| *is_pressed) => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}
