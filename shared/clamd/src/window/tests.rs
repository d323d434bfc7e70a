//! Explores every order of up to three scans, their canaries and one failure.

use std::collections::HashSet;

use super::*;

const N_SCANS: usize = 3;

/// A scan, and what has happened to its process since the scan joined.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Scan {
    Waiting,
    Asking {
        joined: Joined,
    },
    Replied {
        joined: Joined,
        needed: Canary,
    },
    Confirmed,
    /// With whether it counts as its own failure.
    Voided {
        is_own: bool,
    },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    window: Window,
    scans: [Scan; N_SCANS],
    /// Canaries run one after the other.
    asking_for: Option<Canary>,
    is_faulty: bool,
    /// Scans that were in flight with another one.
    had_company: [bool; N_SCANS],
    /// The canaries that began after each scan's reply.
    began_after_reply: [bool; N_SCANS],
}

impl World {
    fn is_in_flight(&self, at: usize) -> bool {
        matches!(self.scans[at], Scan::Asking { .. } | Scan::Replied { .. })
    }

    fn void(&mut self, at: usize) {
        let (Scan::Asking { joined } | Scan::Replied { joined, .. }) = self.scans[at].clone() else { return };
        let is_own = self.window.is_alone(joined);
        assert_eq!(is_own, !self.had_company[at], "{self:?}");
        self.window.fail();
        self.window.leave(joined);
        self.scans[at] = Scan::Voided { is_own };
    }

    /// Every world that one more step leads to.
    fn next(&self) -> Vec<Self> {
        let mut worlds = vec![];
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut world = self.clone();
            change(&mut world);
            worlds.push(world);
        };
        if !self.is_faulty {
            add(&|world| world.is_faulty = true);
        }
        for at in 0..N_SCANS {
            match self.scans[at].clone() {
                Scan::Waiting if !self.window.has_failed() => add(&|world| world.join(at)),
                // A faulty process may reply as if nothing were wrong, or not at all.
                Scan::Asking { joined } => {
                    add(&|world| {
                        let needed = world.window.next_canary();
                        world.scans[at] = Scan::Replied { joined, needed };
                    });
                    add(&|world| world.void(at));
                }
                Scan::Replied { needed, .. } if self.window.is_confirmed(needed) => {
                    add(&|world| world.confirm(at));
                }
                Scan::Replied { .. } if self.window.has_failed() => add(&|world| world.void(at)),
                Scan::Replied { .. } if self.asking_for.is_none() => add(&|world| {
                    world.asking_for = Some(world.window.begin_canary());
                    for other in 0..N_SCANS {
                        world.began_after_reply[other] |= matches!(world.scans[other], Scan::Replied { .. });
                    }
                }),
                _ => {}
            }
        }
        if let Some(canary) = self.asking_for {
            add(&|world| {
                world.asking_for = None;
                if world.is_faulty {
                    world.window.fail();
                } else {
                    world.window.find(canary);
                }
            });
        }
        worlds
    }

    fn join(&mut self, at: usize) {
        let joined = self.window.join(10);
        self.scans[at] = Scan::Asking { joined };
        let in_flight: Vec<usize> = (0..N_SCANS).filter(|other| self.is_in_flight(*other)).collect();
        if in_flight.len() > 1 {
            for other in in_flight {
                self.had_company[other] = true;
            }
        }
    }

    fn confirm(&mut self, at: usize) {
        let Scan::Replied { joined, .. } = self.scans[at].clone() else { return };
        assert!(self.began_after_reply[at], "no canary began after its reply: {self:?}");
        assert!(!self.window.has_failed(), "{self:?}");
        self.window.leave(joined);
        self.scans[at] = Scan::Confirmed;
    }
}

#[test]
fn in_every_order_a_scan_counts_only_with_a_later_canary_of_a_process_that_has_not_failed() {
    let begin = World {
        window: Window::default(),
        scans: std::array::from_fn(|_| Scan::Waiting),
        asking_for: None,
        is_faulty: false,
        had_company: [false; N_SCANS],
        began_after_reply: [false; N_SCANS],
    };
    let (mut seen, mut open) = (HashSet::new(), vec![begin]);
    let (mut n_all_confirmed, mut n_voided_with_company) = (0, 0);
    while let Some(world) = open.pop() {
        if !seen.insert(world.clone()) {
            continue;
        }
        let is_empty = (0..N_SCANS).all(|at| !world.is_in_flight(at));
        assert_eq!(world.window.is_empty(), is_empty);
        assert_eq!(world.window.reserved_bytes() == 0, is_empty);
        n_all_confirmed += usize::from(world.scans.iter().all(|scan| *scan == Scan::Confirmed));
        n_voided_with_company += usize::from(world.scans.contains(&Scan::Voided { is_own: false }));
        open.extend(world.next());
    }
    assert!(n_all_confirmed > 0 && n_voided_with_company > 0);
    assert!(seen.len() > 5_000, "{} worlds", seen.len());
}

#[test]
fn a_fault_that_a_canary_shows_confirms_no_scan_that_it_may_have_touched() {
    let mut window = Window::default();
    let early = window.join(0);
    let needed = window.next_canary();
    let canary = window.begin_canary();
    // The reply arrived while that canary ran, so only the next canary counts.
    let late = window.next_canary();
    window.find(canary);
    assert!(window.is_confirmed(needed) && !window.is_confirmed(late));
    window.fail();
    assert!(!window.is_confirmed(needed) && !window.is_confirmed(late));
    window.leave(early);
    assert!(window.is_empty());
}
