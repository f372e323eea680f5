//! An hour's objects into the target, in the one order that leaves nothing half-done: rejects, tweets, marker.

use bytes::Bytes;

use super::ConvertError;
use super::layout::{self, Part, Present};
use super::spill::Spilled;
use super::target::Target;
use crate::hour::Hour;
use crate::store::{Body, Condition, ErrorKind, Key, Put, Store};

/// An hour that is whole and on local disk.
pub(super) struct Whole {
    pub(super) hour: Hour,
    pub(super) tweets: Spilled,
    pub(super) rejects: Option<Spilled>,
    /// Whether it is final, and gets its `_SUCCESS`.
    pub(super) closed: bool,
}

/// Puts an hour. What is there of it is replaced only if so told: then its marker goes first, and at no time is there a
/// marker beside tweets that are not the ones it was put for.
pub(super) async fn put(target: &Target, whole: &Whole, present: Present, replace: bool) -> Result<(), ConvertError> {
    let hour = whole.hour;
    let tweets = target.tweets();
    if whole.rejects.is_some() && target.rejects().is_none() {
        return Err(ConvertError::NoPlaceForRejects { hour, target: tweets.location() });
    }
    if present.success {
        tweets.delete(&layout::key(hour, Part::Success)).await?;
    }
    if let Some(place) = target.rejects() {
        let key = layout::rejects_key(hour);
        match &whole.rejects {
            // Without its tweets it says nothing: one of a conversion that was killed may be there.
            Some(rejects) => one(place, key, rejects, Condition::Always).await?,
            None if present.rejects => place.delete(&key).await?,
            None => {}
        }
    }
    let condition = if replace { Condition::Always } else { Condition::IfAbsent };
    one(tweets, layout::key(hour, Part::Tweets), &whole.tweets, condition).await?;
    if whole.closed { mark(tweets, hour).await } else { Ok(()) }
}

/// Says that an hour is done.
pub(super) async fn mark(target: &dyn Store, hour: Hour) -> Result<(), ConvertError> {
    let key = layout::key(hour, Part::Success);
    let put = Put { key, body: Body::Bytes(Bytes::new()), condition: Condition::Always, sha256: None };
    target.put(put).await?;
    Ok(())
}

async fn one(target: &dyn Store, key: Key, content: &Spilled, condition: Condition) -> Result<(), ConvertError> {
    let (body, sha256) = (content.body.clone(), Some(content.sha256.clone()));
    let error = match target.put(Put { key: key.clone(), body, condition, sha256 }).await {
        Ok(_) => return Ok(()),
        Err(error) if !error.may_have_happened() => return Err(error.into()),
        Err(error) => error,
    };
    // An answer may have been lost, and a put that was tried again then meets itself.
    match target.head(&key).await {
        Ok(there) if there.bytes == content.body.len() && there.sha256.as_deref() == Some(&content.sha256) => Ok(()),
        Ok(_) if error.kind() == ErrorKind::PreconditionFailed => {
            Err(ConvertError::Different { key, why: "was put by somebody else meanwhile".to_owned() })
        }
        _ => Err(error.into()),
    }
}
