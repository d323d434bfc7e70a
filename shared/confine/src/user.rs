//! Gives up root's rights, for a process that was started with them.

use rustix::process::{Gid, Signal, Uid, geteuid, set_parent_process_death_signal};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::ConfineError;

/// The user and the group that own nothing, on Linux (`/proc/sys/kernel/overflowuid`).
const OVERFLOW_ID: u32 = 65_534;

/// Changes a process of root's to a user who owns nothing; a process of another user stays as it is. Returns
/// whether it was root's. Only for a process with one thread, before [`crate::limit_resources`]: what is not
/// inherited by another user is set again.
///
/// [`ConfineError::User`] where root itself may not change its user, as in some containers.
pub fn drop_root() -> Result<bool, ConfineError> {
    if !geteuid().is_root() {
        return Ok(false);
    }
    let (user, group) = (Uid::from_raw(OVERFLOW_ID), Gid::from_raw(OVERFLOW_ID));
    set_thread_groups(&[])
        .and_then(|()| set_thread_res_gid(group, group, group))
        .and_then(|()| set_thread_res_uid(user, user, user))
        // Changing the user has cleared it.
        .and_then(|()| set_parent_process_death_signal(Some(Signal::KILL)))
        .map_err(|error| ConfineError::User(error.into()))?;
    Ok(true)
}
