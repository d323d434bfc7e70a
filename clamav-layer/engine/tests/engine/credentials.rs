//! No other process of the same user, such as a scan that a file has taken over, can open the engine's
//! environment and memory.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use crate::support::Room;

/// Root may read everything: a test that runs as root starts everything as this user.
const UNPRIVILEGED: u32 = 65_534;

fn by_user(command: &mut Command) -> &mut Command {
    // SAFETY: reads a number.
    let is_root = unsafe { libc::geteuid() } == 0;
    if is_root { command.uid(UNPRIVILEGED).gid(UNPRIVILEGED) } else { command }
}

/// Which of the process's files another process of its user can open.
fn readable(process: &Child) -> Vec<&'static str> {
    let opens = |name: &&str| {
        let path = format!("if=/proc/{}/{name}", process.id());
        let mut open = Command::new("dd");
        open.args([&path, "of=/dev/null", "bs=1", "count=0"]).stderr(Stdio::null());
        by_user(&mut open).status().unwrap().success()
    };
    ["environ", "maps", "mem"].into_iter().filter(opens).collect()
}

#[test]
fn a_scan_that_a_file_has_taken_over_cannot_open_the_engines_environment_and_memory() {
    let mut ordinary = by_user(Command::new("sleep").arg("60")).spawn().unwrap();
    let of_ordinary = readable(&ordinary);
    ordinary.kill().unwrap();
    ordinary.wait().unwrap();
    assert!(of_ordinary.contains(&"environ") && of_ordinary.contains(&"maps"), "{of_ordinary:?}");

    let room = Room::new("credentials");
    let snapshot = room.snapshot("snapshot", &[]);
    // A user that is not root must reach the definitions and make a socket.
    for (name, mode) in [("", 0o777), ("tmp", 0o777), ("db", 0o755), ("snapshot", 0o644)] {
        std::fs::set_permissions(room.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    for snapshot in [None, Some(snapshot.as_path())] {
        let engine = room.start_with(snapshot, by_user).ready();
        assert_eq!(readable(&engine.child), [""; 0], "with {snapshot:?}");
        assert!(engine.scan(&room.path("eicar")).ends_with("Test.Eicar.UNOFFICIAL FOUND"));
    }
}
