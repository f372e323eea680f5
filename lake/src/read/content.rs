//! Compares an object's stored bytes with the checksum in its manifest, while they are read anyway.
//!
//! The bytes pass in order, however they were fetched, so one running checksum suffices; it is compared at the object's
//! end. The lines have been given by then, and nothing tells which of them changed: until its end, what was read from
//! an object is provisional.

use crate::checksum::{Crc64, Crc64Hasher};
use crate::hour::Hour;
use crate::object::{Listed, ObjectRef};
use crate::store::{ErrorKind, Key, Store, StoreError};

/// The checksum of an object that is being read, if its manifest has one.
#[derive(Debug, Default)]
pub(super) struct ChecksumCheck(Option<Box<RunningChecksum>>);

#[derive(Debug)]
struct RunningChecksum {
    hasher: Crc64Hasher,
    wanted: Crc64,
    hour: Hour,
    /// The operation, for messages.
    action: String,
}

impl ChecksumCheck {
    /// Starts before an object's first byte.
    pub(super) fn of(store: &dyn Store, object: &ObjectRef) -> ChecksumCheck {
        let running = |Listed { hour, crc64 }| {
            let action = action(store, &object.key);
            Some(Box::new(RunningChecksum { hasher: Crc64Hasher::default(), wanted: crc64?, hour, action }))
        };
        ChecksumCheck(object.listed.and_then(running))
    }

    /// Adds the object's next stored bytes.
    pub(super) fn update(&mut self, chunk: &[u8]) {
        if let Some(running) = &mut self.0 {
            running.hasher.update(chunk);
        }
    }

    /// Adds the remedy to the error of an object that cannot be decompressed.
    pub(super) fn advise(&self, error: StoreError) -> StoreError {
        match self.0.as_deref() {
            Some(RunningChecksum { hour, .. }) if error.kind() == ErrorKind::Corrupt => {
                error.with_advice(&format!("the manifest of hour {hour} lists it; {}", what_to_do(*hour)))
            }
            _ => error,
        }
    }

    /// Compares the checksum at the object's end.
    pub(super) fn finish(&self) -> Result<(), StoreError> {
        let Some(RunningChecksum { hasher, wanted, hour, action }) = self.0.as_deref() else { return Ok(()) };
        let found = hasher.finish();
        if found == *wanted {
            return Ok(());
        }
        let detail = format!(
            "its content has CRC-64/NVME {found}, and the manifest of hour {hour} lists it with {wanted}: it was changed \
             after it was stored, or on the way here; {}",
            what_to_do(*hour)
        );
        Err(StoreError::new(ErrorKind::Corrupt, action, detail))
    }
}

/// The error for an object whose length is not the listed one.
pub(super) fn another_length(store: &dyn Store, object: &ObjectRef, bytes: u64) -> StoreError {
    let advice = object.listed.map(|listed| format!("; {}", what_to_do(listed.hour))).unwrap_or_default();
    let detail = format!("it has {bytes} bytes and was listed with {}{advice}", object.bytes);
    StoreError::new(ErrorKind::Corrupt, action(store, &object.key), detail)
}

fn what_to_do(hour: Hour) -> String {
    format!("run `ingest verify {hour}`, and put the object back from a backup or an earlier version in the bucket")
}

/// The operation, for messages.
pub(super) fn action(store: &dyn Store, key: &Key) -> String {
    format!("read {key} of {}", store.location())
}
