//! What is to be done with an hour, by what is there of it already. Pure.

use super::stamp::Stamp;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing is there.
    Make,
    /// It is there and as it should be; a closed hour's `_SUCCESS` is put where it is missing.
    UpToDate,
    /// It is there and is to be made anew.
    Replace,
    /// Another one is there; why it is another, in words.
    Refuse(String),
}

/// Decides: `found` is what is there (`Some(None)`: a file that is not ours), `wanted` what would be made.
pub(super) fn decide(found: Option<Option<&Stamp>>, wanted: &Stamp, replace: bool) -> Decision {
    let Some(found) = found else { return Decision::Make };
    let why = match found {
        None => "was not made by this program".to_owned(),
        Some(found) => {
            // How many hours a folder gives is known only after it has been read.
            let same = Stamp { parts: None, ..found.clone() } == Stamp { parts: None, ..wanted.clone() };
            if same && !replace {
                return Decision::UpToDate;
            }
            let provisional = !found.closed && found.options == wanted.options;
            if provisional && found.schema_version == wanted.schema_version {
                return Decision::Replace;
            }
            differs(found, wanted)
        }
    };
    if replace { Decision::Replace } else { Decision::Refuse(why) }
}

fn differs(found: &Stamp, wanted: &Stamp) -> String {
    if found.schema_version != wanted.schema_version {
        let (found, wanted) = (&found.schema_version, &wanted.schema_version);
        format!("holds version {found} of the tweets table, and this program writes version {wanted}")
    } else if found.options != wanted.options {
        format!("was made with other options ({}; now {})", found.options, wanted.options)
    } else {
        "was made from another source: late tweets came since, or it is of another lake".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp {
            source_sha256: "a".to_owned(),
            closed: true,
            options: "columns=all".to_owned(),
            schema_version: "1".to_owned(),
            parts: None,
        }
    }

    fn refused(found: Option<&Stamp>) -> String {
        match decide(Some(found), &stamp(), false) {
            Decision::Refuse(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rerun_of_the_same_source_and_options_does_nothing() {
        assert_eq!(decide(None, &stamp(), false), Decision::Make);
        assert_eq!(decide(Some(Some(&stamp())), &stamp(), false), Decision::UpToDate);
        assert_eq!(decide(Some(Some(&stamp())), &stamp(), true), Decision::Replace);
    }

    #[test]
    fn what_differs_is_refused_unless_told_to_replace() {
        let source = Stamp { source_sha256: "b".to_owned(), ..stamp() };
        let options = Stamp { options: "columns=text".to_owned(), ..stamp() };
        let schema = Stamp { schema_version: "0".to_owned(), ..stamp() };
        assert!(refused(Some(&source)).contains("another source"));
        assert!(refused(Some(&options)).contains("other options"));
        assert!(refused(Some(&schema)).contains("version 0"));
        assert!(refused(None).contains("not made by this program"));
        for found in [Some(&source), Some(&options), Some(&schema), None] {
            assert_eq!(decide(Some(found), &stamp(), true), Decision::Replace);
        }
    }

    #[test]
    fn what_is_provisional_is_replaced_by_itself() {
        let open = Stamp { closed: false, source_sha256: "b".to_owned(), ..stamp() };
        assert_eq!(decide(Some(Some(&open)), &stamp(), false), Decision::Replace);
        assert_eq!(decide(Some(Some(&open)), &open, false), Decision::UpToDate);
        let other_options = Stamp { options: "columns=text".to_owned(), ..open };
        assert!(refused(Some(&other_options)).contains("other options"));
    }
}
