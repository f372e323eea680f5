//! What is stored, from manifests and the objects they list and nothing else, held against what the simulator says it sent.

use std::collections::{BTreeMap, HashMap};

use cauce_lake::Hour;

use crate::lake::{Lake, each_once, lines, tweet_id};
use crate::simulator::Sent;

/// The ids that the manifests list, in the order in which they are listed, by hour.
pub(crate) fn listed(lake: &Lake) -> BTreeMap<String, Vec<u64>> {
    let read = |manifest: &serde_json::Value| -> Vec<u64> {
        let objects = manifest["objects"].as_array().expect("a manifest lists objects");
        let keys = objects.iter().map(|object| object["key"].as_str().expect("an object has a key"));
        keys.flat_map(|key| lines(&lake.bytes(key))).map(|line| tweet_id(&line)).collect()
    };
    lake.manifests().iter().map(|(hour, manifest)| (hour.clone(), read(manifest))).collect()
}

/// Every tweet sent is in a manifest once, in its hour, and after those that its connection brought before it.
#[track_caller]
pub(crate) fn assert_all_in_order(lake: &Lake, truth: &[Sent]) {
    let listed = listed(lake);
    let all = each_once(listed.values().flatten().copied().collect());
    let sent = each_once(truth.iter().map(|sent| sent.id).collect());
    let missing = sent.iter().filter(|id| all.binary_search(id).is_err()).count();
    assert!(all == sent, "{} sent, {} listed, {missing} missing", sent.len(), all.len());
    let connections: HashMap<u64, u64> = truth.iter().map(|sent| (sent.id, sent.connection)).collect();
    let mut wanted: BTreeMap<(String, u64), Vec<u64>> = BTreeMap::new();
    for sent in truth {
        wanted.entry((Hour::containing(sent.created_ms).to_string(), sent.connection)).or_default().push(sent.id);
    }
    let mut found: BTreeMap<(String, u64), Vec<u64>> = BTreeMap::new();
    for (hour, ids) in &listed {
        for id in ids {
            found.entry((hour.clone(), connections[id])).or_default().push(*id);
        }
    }
    let counts =
        |hours: &BTreeMap<(String, u64), Vec<u64>>| hours.iter().map(|(k, v)| (k.clone(), v.len())).collect::<Vec<_>>();
    assert_eq!(counts(&found), counts(&wanted));
    assert!(found == wanted, "the tweets of an hour are not in the order in which their connection brought them");
}
