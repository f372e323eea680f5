//! Asks a store, before an agent is started, for everything it will need there, and leaves nothing behind.

use std::sync::Arc;

use bytes::Bytes;
use cauce_lake::manifest::{AGENT_KEY, HOURS_PREFIX};
use cauce_lake::store::{self, Body, Condition, ErrorKind, List, Put, S3Options};
use cauce_lake::{Key, LakeUrl, Store, StoreError};

use super::lease::{AgentRecord, agent_key};

/// Asks the store at `url` and says what was found, one finding a line.
///
/// # Errors
/// The first refusal: no such bucket, keys that are not taken, a missing key answered with 403 where 404 is needed (the
/// right to list is missing), a right to put that is missing, a store that ignores `If-None-Match`.
pub async fn probe(url: &LakeUrl, options: &S3Options, agent_id: &str) -> Result<Vec<String>, StoreError> {
    let store = store::open(url, options).await?;
    let listed = store.list(&List { prefix: HOURS_PREFIX.to_owned(), ..List::default() }).await?;
    let more = if listed.next.is_some() { " and more" } else { "" };
    let mut findings = vec![format!("{} answers; {} manifests{more} there", store.location(), listed.objects.len())];
    missing_key(&*store).await?;
    findings.push("a missing object is told from a forbidden one".into());
    findings.push(agent_object(&store, agent_id).await?);
    Ok(findings)
}

/// After a lost answer the agent looks whether its object is there: 403 in place of 404 would leave it in the dark.
async fn missing_key(store: &dyn Store) -> Result<(), StoreError> {
    let key = Key::new("_hours/1970-01-01T00.late-1.json").expect("the constant is a valid key");
    match store.head(&key).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        // Nobody wrote tweets in 1970, but if somebody did, the right to look is proved.
        Ok(_) => Ok(()),
    }
}

/// With an agent's object there, a put that must be refused by its condition proves the right to put and the condition,
/// and changes nothing.
async fn agent_object(store: &Arc<dyn Store>, agent_id: &str) -> Result<String, StoreError> {
    let key = agent_key();
    let (bytes, _) = match store.get(&key).await {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok("no agent has written here yet; the right to write is proved at the first start".into());
        }
        Err(error) => return Err(error),
    };
    let put = Put { key, body: Body::Bytes(Bytes::clone(&bytes)), condition: Condition::IfAbsent, sha256: None };
    match store.put(put).await {
        Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
        Err(error) => return Err(error),
        Ok(_) => {
            let detail = "it ignores If-None-Match: use another server, or set lake.allow_unsafe_store = true";
            return Err(StoreError::new(ErrorKind::Configuration, format!("put {AGENT_KEY}"), detail));
        }
    }
    Ok(match serde_json::from_slice::<AgentRecord>(&bytes) {
        Ok(there) if there.id == agent_id => {
            let holder = there.holder();
            match (there.released_at, there.heartbeat_at) {
                (Some(at), _) => format!("it is ours, given back at {at} by {holder}"),
                (None, Some(at)) => format!("it is ours, held by {holder}, last heartbeat at {at}"),
                (None, None) => format!("it is ours, last taken by {holder}"),
            }
        }
        Ok(there) => format!("it belongs to agent {:?}, and this one ({agent_id:?}) would be refused", there.id),
        Err(error) => format!("{AGENT_KEY} cannot be read ({error}) and would stop this agent at its start"),
    })
}
