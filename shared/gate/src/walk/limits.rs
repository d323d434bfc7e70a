//! Counts what a walk does, and refuses a file beyond the limits.

use domain::verdict::Unscannable;

use super::{Walk, Walked, refuse};
use crate::capability::Method;

/// Signatures that may be followed in vain in one file before it counts as made to waste time.
const MAX_ATTEMPTS: u64 = 2_000;

/// How often may be hashed for the keys of encrypted documents: Office hashes 100 000 times for each
/// password, which takes a core about 50 ms.
const MAX_HASH_ROUNDS: u64 = 25_000_000;

/// The members so far, as they count against the limits.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counted {
    pub(super) n_members: u64,
    pub(super) n_bytes: u64,
}

/// Work that may have been in vain. It is never taken back.
#[derive(Default, Debug)]
pub(super) struct Work {
    n_attempts: u64,
    n_hash_rounds: u64,
    pointed_bytes: u64,
}

impl Walk<'_> {
    /// Refuses a method that this engine was not seen to open.
    pub(crate) fn require(&self, method: Method) -> Walked {
        if self.gate.capabilities.has(method) {
            return Ok(());
        }
        refuse(Unscannable::UnsupportedContainer, "the engine cannot open this kind of container")
    }

    /// Refuses by what a container declares, before a byte of it is unpacked.
    pub(crate) fn expect(&self, n_members: u64, n_bytes: u64) -> Walked {
        let limits = &self.gate.limits;
        if self.counted.n_members.saturating_add(n_members) > limits.max_members {
            return refuse(Unscannable::TooManyFiles, "more members than the limit");
        }
        if self.counted.n_bytes.saturating_add(n_bytes) > limits.max_total_bytes {
            return refuse(Unscannable::ExpandsTooMuch, "declares to unpack to more than the limit");
        }
        Ok(())
    }

    pub(crate) fn expect_member(&self, size_bytes: u64) -> Walked {
        if size_bytes > self.gate.limits.max_member_bytes {
            return refuse(Unscannable::TooLarge, "a member is larger than the limit");
        }
        Ok(())
    }

    pub(crate) fn count_member(&mut self) -> Walked {
        self.counted.n_members += 1;
        self.expect(0, 0)
    }

    /// Takes back what was counted for a member that turned out to be one that is known.
    pub(crate) fn uncount_member(&mut self, n_bytes: u64) {
        self.counted.n_members = self.counted.n_members.saturating_sub(1);
        self.counted.n_bytes = self.counted.n_bytes.saturating_sub(n_bytes);
    }

    pub(crate) fn count_bytes(&mut self, n_bytes: u64, member_bytes: u64) -> Walked {
        self.counted.n_bytes = self.counted.n_bytes.saturating_add(n_bytes);
        self.expect_member(member_bytes)?;
        self.expect(0, 0)
    }

    /// One more signature in the middle of other data turned out to be none.
    pub(crate) fn count_attempt(&mut self) -> Walked {
        self.count_attempts(1)
    }

    /// Counts an attempt that takes as much work as several.
    pub(crate) fn count_attempts(&mut self, n_attempts: u64) -> Walked {
        self.work.n_attempts = self.work.n_attempts.saturating_add(n_attempts);
        if self.work.n_attempts > MAX_ATTEMPTS {
            return refuse(Unscannable::TooManyFiles, "more signatures without containers than the limit");
        }
        Ok(())
    }

    /// Counts bytes that something points at. Parts of a file may overlap, and equal ones count against no
    /// other limit.
    pub(crate) fn count_pointed(&mut self, n_bytes: u64) -> Walked {
        /// What looking at a part costs, however short it is.
        const EACH: u64 = 1024;
        let n_more = n_bytes.saturating_add(EACH);
        self.work.pointed_bytes = self.work.pointed_bytes.saturating_add(n_more);
        if self.work.pointed_bytes > self.gate.limits.max_total_bytes {
            return refuse(Unscannable::ExpandsTooMuch, "parts that overlap, of more bytes than the limit");
        }
        Ok(())
    }

    /// Hashes for a key are about to be made.
    pub(crate) fn count_hash_rounds(&mut self, n_rounds: u64) -> Walked {
        self.work.n_hash_rounds = self.work.n_hash_rounds.saturating_add(n_rounds);
        if self.work.n_hash_rounds > MAX_HASH_ROUNDS {
            return refuse(Unscannable::Encrypted, "keys that take longer to derive than the limit");
        }
        Ok(())
    }
}
