//! An object's stored bytes, compared with what its manifest tells of them while they pass anyway.
//!
//! They pass in order, whatever was fetched at once, so one checksum runs along and is compared at the object's end. The lines
//! have been given out by then, and where the changed one is among them is not known: until its end, what comes of an object
//! is provisional.

use crate::catalogue::{Listed, ObjectRef};
use crate::checksum::{Crc64, Crc64Hasher};
use crate::hour::Hour;
use crate::store::{ErrorKind, Key, Store, StoreError};

/// The checksum of an object that is being read, where its manifest has one.
#[derive(Debug, Default)]
pub(super) struct Check(Option<Box<Running>>);

#[derive(Debug)]
struct Running {
    hasher: Crc64Hasher,
    wanted: Crc64,
    hour: Hour,
    /// What is being done, for messages.
    action: String,
}

impl Check {
    /// Begins with an object's first byte.
    pub(super) fn of(store: &dyn Store, object: &ObjectRef) -> Check {
        let running = |Listed { hour, crc64 }| {
            let action = action(store, &object.key);
            Some(Box::new(Running { hasher: Crc64Hasher::default(), wanted: crc64?, hour, action }))
        };
        Check(object.listed.and_then(running))
    }

    /// Takes the object's next stored bytes.
    pub(super) fn update(&mut self, chunk: &[u8]) {
        if let Some(running) = &mut self.0 {
            running.hasher.update(chunk);
        }
    }

    /// What a reader should do about an object that cannot be decompressed.
    pub(super) fn advise(&self, error: StoreError) -> StoreError {
        match self.0.as_deref() {
            Some(Running { hour, .. }) if error.kind() == ErrorKind::Corrupt => {
                error.with_advice(&format!("the manifest of hour {hour} lists it; {}", what_to_do(*hour)))
            }
            _ => error,
        }
    }

    /// Compares at the object's end.
    pub(super) fn finish(&self) -> Result<(), StoreError> {
        let Some(Running { hasher, wanted, hour, action }) = self.0.as_deref() else { return Ok(()) };
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

/// An object that has not the length it was listed with.
pub(super) fn another_length(store: &dyn Store, object: &ObjectRef, bytes: u64) -> StoreError {
    let advice = object.listed.map(|listed| format!("; {}", what_to_do(listed.hour))).unwrap_or_default();
    let detail = format!("it has {bytes} bytes and was listed with {}{advice}", object.bytes);
    StoreError::new(ErrorKind::Corrupt, action(store, &object.key), detail)
}

fn what_to_do(hour: Hour) -> String {
    format!("run `ingest verify {hour}`, and put the object back from a backup or an earlier version in the bucket")
}

/// What is being done, for messages.
pub(super) fn action(store: &dyn Store, key: &Key) -> String {
    format!("read {key} of {}", store.location())
}
