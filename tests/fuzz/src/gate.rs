//! On any bytes the gate terminates within its limits, and a second run gives the same result.

use std::io::Write as _;

use bolero::TypeGenerator;
use gate::{Blob, Capabilities, Gate, Inspection, Limits, Sample};

/// Small limits, so that inputs reach them.
const LIMITS: Limits =
    Limits { max_member_bytes: 50_000, max_total_bytes: 200_000, max_members: 100, max_depth: 5 };

/// A change of a container.
#[derive(Clone, Debug, TypeGenerator)]
enum Change {
    Set {
        at: u16,
        bytes: [u8; 2],
    },
    Flip {
        at: u16,
        bit: u8,
    },
    /// A number field that lies: another size, count or offset.
    Number {
        at: u16,
        value: u32,
    },
    Insert {
        at: u16,
        bytes: Vec<u8>,
    },
    Remove {
        at: u16,
        n_bytes: u8,
    },
    Repeat {
        at: u16,
        n_bytes: u8,
    },
    Cut {
        at: u16,
    },
    /// Another container behind this one, or this one behind it.
    Behind {
        sample: u8,
    },
    Before {
        sample: u8,
    },
}

/// Starts from a container of every kind.
#[derive(Clone, Debug, TypeGenerator)]
struct Changed {
    sample: u8,
    changes: Vec<Change>,
}

fn gate() -> Gate {
    let capabilities = Sample::ALL.iter().map(|sample| sample.method).collect::<Capabilities>();
    Gate { limits: LIMITS, capabilities }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
        let sample = |index: u8| &samples[usize::from(index) % samples.len()];
        // Headers are at both ends of a container, so half of all offsets count from its end.
        let n_all = bytes.len();
        let place = |at: u16| match usize::from(at) % (n_all + 1) {
            at if at % 2 == 0 => at / 2,
            at => n_all - at / 2,
        };
        match self {
            Self::Set { at, bytes: values } => overwrite(bytes, place(*at), values),
            Self::Number { at, value } => overwrite(bytes, place(*at), &value.to_le_bytes()),
            Self::Flip { at, bit } => {
                let at = place(*at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Insert { at, bytes: inserted } => {
                let at = place(*at);
                bytes.splice(at..at, inserted.iter().copied());
            }
            Self::Remove { at, n_bytes } => {
                let at = place(*at);
                let end = (at + usize::from(*n_bytes)).min(bytes.len());
                bytes.drain(at..end);
            }
            Self::Repeat { at, n_bytes } => {
                let at = place(*at);
                let end = (at + usize::from(*n_bytes)).min(bytes.len());
                bytes.splice(end..end, bytes[at..end].to_vec());
            }
            Self::Cut { at } => bytes.truncate(place(*at)),
            Self::Behind { sample: index } => bytes.extend_from_slice(sample(*index)),
            Self::Before { sample: index } => {
                bytes.splice(0..0, sample(*index).iter().copied());
            }
        }
    }
}

fn overwrite(bytes: &mut [u8], at: usize, values: &[u8]) {
    for (byte, value) in bytes.iter_mut().skip(at).zip(values) {
        *byte = *value;
    }
}

fn inspect_bytes(gate: &Gate, bytes: &[u8]) -> Inspection {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    gate.inspect(&file, tempfile::tempfile().unwrap(), vec![], None).unwrap()
}

fn check(gate: &Gate, bytes: &[u8]) {
    let inspection = inspect_bytes(gate, bytes);
    let n_handed_bytes = inspection.handed.iter().map(Blob::size_bytes).sum::<u64>();
    assert!(n_handed_bytes <= LIMITS.max_total_bytes, "{n_handed_bytes} bytes handed over");
    assert!(inspection.handed.len() as u64 <= LIMITS.max_members, "{} members", inspection.handed.len());
    assert!(inspection.handed.iter().all(|blob| blob.size_bytes() > 0));
    let again = inspect_bytes(gate, bytes);
    assert_eq!(inspection.refusal, again.refusal);
    assert_eq!(inspection.handed.len(), again.handed.len());
}

#[test]
fn changed_containers_come_to_an_end() {
    let gate = gate();
    let samples = Sample::ALL.iter().map(Sample::unmasked).collect::<Vec<_>>();
    bolero::check!().with_iterations(4_000).with_type::<Changed>().for_each(|changed| {
        let mut bytes = samples[usize::from(changed.sample) % samples.len()].clone();
        for change in &changed.changes {
            change.apply(&mut bytes, &samples);
        }
        bytes.truncate(300_000);
        check(&gate, &bytes);
    });
}

#[test]
fn any_bytes_come_to_an_end() {
    let gate = gate();
    bolero::check!().with_iterations(4_000).for_each(|bytes: &[u8]| check(&gate, bytes));
}
