//! The retry schedule of webhook deliveries. One delivery is one event sent to one endpoint.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::history::EventId;
use crate::id::IdError;
use crate::timestamp::Timestamp;

/// Identifies an endpoint by the beginning of its URL's digest, so that logs and tables need not hold URLs,
/// which may contain secrets.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EndpointId(String);

impl EndpointId {
    pub fn of_digest(url_sha256: [u8; 32]) -> Self {
        Self(url_sha256[..8].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
    }

    pub fn parse(text: &str) -> Result<Self, IdError> {
        let is_ours = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_ours { Ok(Self(text.to_owned())) } else { Err(IdError("endpoint id")) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One event to be sent to one endpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    pub event: EventId,
    pub endpoint: EndpointId,
    /// The request's body, byte for byte the same at every attempt.
    pub body: String,
    pub created_at: Timestamp,
    pub n_attempts: u32,
    pub state: DeliveryState,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum DeliveryState {
    Due {
        at: Timestamp,
    },
    Delivered {
        at: Timestamp,
    },
    /// It is not retried until an operator requests a redelivery.
    GivenUp {
        at: Timestamp,
        why: String,
    },
}

/// An endpoint's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// 2xx.
    Accepted,
    /// 410: the endpoint wants no more deliveries.
    Gone,
    /// Any other status, no response, or an address that may not be contacted.
    Failed(String),
}

/// What an answer means for the endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndpointFate {
    Stays,
    Disabled,
}

/// Standard Webhooks, "Retry schedule": nine more attempts within three days.
const RETRY_DELAYS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

impl Delivery {
    pub fn new(event: EventId, endpoint: EndpointId, body: String, now: Timestamp) -> Self {
        Self { event, endpoint, body, created_at: now, n_attempts: 0, state: DeliveryState::Due { at: now } }
    }

    pub fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            DeliveryState::Due { at } => Some(at),
            DeliveryState::Delivered { .. } | DeliveryState::GivenUp { .. } => None,
        }
    }

    pub fn is_given_up(&self) -> bool {
        matches!(self.state, DeliveryState::GivenUp { .. })
    }

    /// The delivery after one more attempt, and what the answer means for the endpoint.
    #[must_use]
    pub fn answered(&self, answer: &Answer, now: Timestamp) -> (Self, EndpointFate) {
        let n_attempts = self.n_attempts + 1;
        let (state, fate) = match answer {
            Answer::Accepted => (DeliveryState::Delivered { at: now }, EndpointFate::Stays),
            Answer::Gone => {
                let why = "the endpoint is gone (410)".to_owned();
                (DeliveryState::GivenUp { at: now, why }, EndpointFate::Disabled)
            }
            Answer::Failed(why) => {
                let delay = RETRY_DELAYS.get(usize::try_from(self.n_attempts).unwrap_or(usize::MAX));
                let state = match delay {
                    Some(delay) => DeliveryState::Due { at: now + *delay },
                    None => DeliveryState::GivenUp { at: now, why: why.clone() },
                };
                (state, EndpointFate::Stays)
            }
        };
        (Self { n_attempts, state, ..self.clone() }, fate)
    }

    /// Redelivers the same event, from the beginning of the schedule.
    #[must_use]
    pub fn replayed(&self, now: Timestamp) -> Self {
        Self { n_attempts: 0, state: DeliveryState::Due { at: now }, ..self.clone() }
    }

    /// Hides the delivery from the sweep until `until`, because a message about it is queued.
    #[must_use]
    pub fn postponed(&self, until: Timestamp) -> Self {
        Self { state: DeliveryState::Due { at: until }, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::FileId;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn delivery() -> Delivery {
        let event = EventId { file: FileId::from_random(Uuid::from_u128(1)), seq: 1 };
        Delivery::new(event, EndpointId::of_digest([7; 32]), "{}".into(), NOW)
    }

    #[test]
    fn failures_are_tried_ten_times_over_three_days() {
        let (mut delivery, mut now, mut n_attempts) = (delivery(), NOW, 0);
        while let Some(due_at) = delivery.due_at() {
            now = now.max(due_at);
            let fate;
            (delivery, fate) = delivery.answered(&Answer::Failed("500".into()), now);
            n_attempts += 1;
            assert_eq!(fate, EndpointFate::Stays);
        }
        assert_eq!((n_attempts, delivery.n_attempts), (10, 10));
        let days = now.since(NOW).as_secs_f64() / 86_400.0;
        assert!((3.0..3.5).contains(&days), "{days}");
        assert!(matches!(&delivery.state, DeliveryState::GivenUp { why, .. } if why == "500"));
        assert_eq!(delivery.replayed(now).due_at(), Some(now));
    }

    #[test]
    fn an_accepted_delivery_is_over_and_410_ends_the_endpoint() {
        let (done, fate) = delivery().answered(&Answer::Accepted, NOW);
        assert_eq!((done.due_at(), fate), (None, EndpointFate::Stays));
        let (gone, fate) = delivery().answered(&Answer::Gone, NOW);
        assert_eq!((gone.due_at(), fate), (None, EndpointFate::Disabled));
    }

    #[test]
    fn an_endpoint_id_reads_back() {
        let id = EndpointId::of_digest([0xab; 32]);
        assert_eq!(EndpointId::parse(id.as_str()), Ok(id));
        assert!(EndpointId::parse("XYZ").is_err());
    }
}
