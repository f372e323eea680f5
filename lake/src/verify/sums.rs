//! What a manifest says, held against itself: sums, arrivals, names listed twice. Pure.

use std::collections::HashSet;

use super::Problem;
use crate::manifest::{Manifest, ObjectEntry};
use crate::store::Key;

/// Everything that does not add up in an hour's manifests.
pub(super) fn check(manifests: &[(Key, Manifest)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen = HashSet::new();
    for (key, manifest) in manifests {
        let sum = manifest.objects.iter().fold(0u64, |sum, object| sum.saturating_add(object.lines));
        if sum != manifest.tweets {
            problems.push(Problem::Tweets { manifest: key.clone(), said: manifest.tweets, sum });
        }
        for object in manifest.objects.iter().chain(&manifest.messages) {
            if !seen.insert(&object.key) {
                problems.push(Problem::ListedTwice { key: object.key.clone() });
            }
            if let Some(detail) = arrivals_fault(object) {
                problems.push(Problem::Arrivals { key: object.key.clone(), detail });
            }
        }
    }
    problems
}

/// Seconds and lines must both rise, and the last entry must be the object's last line. No arrivals at all are no fault:
/// they are an offer to readers.
fn arrivals_fault(object: &ObjectEntry) -> Option<String> {
    let (_, last) = *object.arrivals.last()?;
    let first_is_empty = object.arrivals.first().is_some_and(|(_, lines)| *lines == 0);
    if let Some(pair) = object.arrivals.windows(2).find(|pair| pair[1].0 <= pair[0].0 || pair[1].1 <= pair[0].1) {
        return Some(format!("do not rise at second {}", pair[1].0));
    }
    if first_is_empty {
        return Some("begin with a second in which nothing arrived".to_owned());
    }
    (last != object.lines).then(|| format!("end at line {last} of {}", object.lines))
}
