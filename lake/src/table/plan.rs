//! From the selected columns to a plan: which values of a line to locate ([`super::shape`]), and how to fill each
//! column from them. Built once per projection, for both wire formats; [`super::fill`] executes it.

use super::includes::Includes;
use super::projection::Selected;
use super::schema::{Column, ColumnType, Location, Rule};
use super::shape::{Draft, Shape};
use super::v1::Fill1;
use super::v2::Fill2;
use crate::tweet::Api;

/// The path of a value, resolved to a slot of a record.
#[derive(Debug, Clone)]
pub(super) struct ValuePath {
    pub(super) slot: u16,
    /// Selects this element of the value.
    pub(super) element: Option<u8>,
    /// Whether the slot holds the value itself: neither an element nor a possible `"null"`.
    pub(super) is_plain: bool,
    pub(super) is_ms: bool,
    /// Whether the string `"null"` stands for null.
    pub(super) null_string: bool,
    /// The path from the record, for messages.
    pub(super) name: Box<str>,
}

/// The path of an array, resolved to slots of a record.
#[derive(Debug, Clone)]
pub(super) struct ListPath {
    /// The array itself.
    pub(super) array: ValuePath,
    /// The slot that links to the records of its elements.
    pub(super) head: u16,
}

/// How a column is filled from a record.
#[derive(Debug)]
pub(super) enum Fill {
    Nothing,
    Value(Box<[ValuePath]>),
    Struct(Presence, Box<[Fill]>),
    /// The elements of the first array that is present.
    List(Box<[(ListPath, Fill)]>),
    Source(Box<[ValuePath]>),
    /// By `timestamp_ms`, the id, or `created_at`.
    CreatedAt(Box<[ValuePath]>, Box<[ValuePath]>),
    TweetId,
    Role,
    IngestPath,
    Api,
    ReceivedAt,
    Raw,
    V1(Box<Fill1>),
    V2(Box<Fill2>),
    /// The first one if this value is present, else the second one.
    Either(ValuePath, Box<[Fill; 2]>),
}

/// When a struct is not null, and which record contains its members.
#[derive(Debug)]
pub(super) enum Presence {
    /// This object is present and not empty.
    Object(ValuePath),
    /// One of these values is present.
    AnyOf(Box<[ValuePath]>),
    /// The array has an element; that one contains the members.
    First(ListPath),
}

/// How to fill one row: a [`Fill`] per column.
pub(super) type RowPlan = Box<[Fill]>;

/// Everything that decoding a line needs.
#[derive(Debug)]
pub(super) struct DecodePlan {
    /// The values to locate in a line of either wire format.
    pub(super) line: Shape,
    pub(super) head: Head,
    pub(super) v1: RowPlan,
    pub(super) v2: RowPlan,
    pub(super) includes: Includes,
    /// For the posts in a v1.1 line that it refers to; empty where they are not selected.
    pub(super) v1_referenced: Box<[Referenced]>,
    pub(super) v2_referenced: Option<RowPlan>,
    /// For lines that are a v2 post themselves; `None` inside that plan.
    pub(super) flat: Option<Box<DecodePlan>>,
    /// For flattened posts: the arrays of embedded posts, and the slot of an element's text. Empty where they are not
    /// selected.
    pub(super) embedded: Box<[(ListPath, u16)]>,
}

/// A status within a v1.1 status.
#[derive(Debug)]
pub(super) struct Referenced {
    pub(super) object: ValuePath,
    /// Its `id_str` and `id`.
    pub(super) ids: Box<[ValuePath]>,
    pub(super) fills: RowPlan,
}

/// The values that decide whether a line is a tweet.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) data: u16,
    pub(super) data_id: ValuePath,
    pub(super) data_text: u16,
    pub(super) text: u16,
    pub(super) full_text: u16,
    /// `id_str` and `id`.
    pub(super) ids: Box<[ValuePath]>,
    /// Members that only a v2 post has, see [`crate::tweet::Api::V2`].
    pub(super) v2_only: Box<[u16]>,
}

/// The same as in [`crate::tweet::scan`].
const V2_ONLY: [&str; 8] = [
    "author_id",
    "edit_history_tweet_ids",
    "edit_history_post_ids",
    "public_metrics",
    "note_tweet",
    "note_post",
    "referenced_tweets",
    "referenced_posts",
];

impl Head {
    /// `prefix` is the path of a v2 post.
    fn new(line: &mut Draft, prefix: &str) -> Head {
        Head {
            data: line.value("data"),
            data_id: value_path(line, prefix, "id"),
            data_text: line.value(&format!("{prefix}text")),
            text: line.value("text"),
            full_text: line.value("full_text"),
            ids: value_paths(line, "", &["id_str", "id"]),
            v2_only: V2_ONLY.iter().map(|mark| line.value(mark)).collect(),
        }
    }
}

impl DecodePlan {
    pub(super) fn new(columns: &[Selected], referenced: bool) -> DecodePlan {
        let mut line = Draft::default();
        let head = Head::new(&mut line, "data.");
        let mut includes = Includes::of_stream();
        let mut scope = Scope { api: Api::V1, is_flat: false, prefix: "", includes: &mut includes };
        let v1 = scope.rows(columns, &mut line);
        let mut v1_referenced = Vec::new();
        let mut v2_referenced = None;
        if referenced {
            for (object, prefix) in [("retweeted_status", "retweeted_status."), ("quoted_status", "quoted_status.")] {
                scope.prefix = prefix;
                let ids = value_paths(&mut line, prefix, &["id_str", "id"]);
                let (object, fills) = (value_path(&mut line, "", object), scope.rows(columns, &mut line));
                v1_referenced.push(Referenced { object, ids, fills });
            }
        }
        (scope.api, scope.prefix) = (Api::V2, "data.");
        let v2 = scope.rows(columns, &mut line);
        if referenced {
            scope.prefix = "";
            scope.includes.posts.select();
            let mut post = std::mem::take(&mut scope.includes.posts.draft);
            v2_referenced = Some(scope.rows(columns, &mut post));
            scope.includes.posts.draft = post;
        }
        includes.attach(&mut line);
        let flat = Some(Box::new(DecodePlan::flat(columns, referenced)));
        let v1_referenced = v1_referenced.into();
        DecodePlan {
            line: line.build(),
            head,
            v1,
            v2,
            includes,
            v1_referenced,
            v2_referenced,
            flat,
            embedded: Box::default(),
        }
    }

    /// For lines that are a v2 post themselves, alone or with embedded posts. Such lines are parsed a second time, so
    /// that the others do not pay for the additional paths.
    fn flat(columns: &[Selected], referenced: bool) -> DecodePlan {
        let mut line = Draft::default();
        let head = Head::new(&mut line, "");
        let mut includes = Includes::embedded();
        let mut scope = Scope { api: Api::V2, is_flat: true, prefix: "", includes: &mut includes };
        let v2 = scope.rows(columns, &mut line);
        let mut embedded = Vec::new();
        if referenced {
            scope.includes.posts.select();
            let text = scope.includes.posts.draft.value("text");
            let lists = ["referenced_tweets", "referenced_posts"].map(|path| scope.list(&mut line, path).0);
            embedded.extend(lists.map(|list| (list, text)));
        }
        includes.attach(&mut line);
        let line = line.build();
        let (embedded, v1_referenced) = (embedded.into(), Box::default());
        DecodePlan {
            line,
            head,
            v1: Box::default(),
            v2,
            includes,
            v1_referenced,
            v2_referenced: None,
            flat: None,
            embedded,
        }
    }
}

/// What the paths of a column are relative to.
pub(super) struct Scope<'a> {
    api: Api,
    /// Whether the post is the line itself and embeds what it refers to.
    pub(super) is_flat: bool,
    prefix: &'a str,
    pub(super) includes: &'a mut Includes,
}

impl Scope<'_> {
    pub(super) fn at<'b>(&'b mut self, prefix: &'b str) -> Scope<'b> {
        Scope { api: self.api, is_flat: self.is_flat, prefix, includes: self.includes }
    }

    fn rows(&mut self, columns: &[Selected], draft: &mut Draft) -> RowPlan {
        columns.iter().map(|column| self.column(column, draft)).collect()
    }

    pub(super) fn members(&mut self, column: &Selected, draft: &mut Draft) -> Box<[Fill]> {
        column.members.iter().map(|member| self.column(member, draft)).collect()
    }

    pub(super) fn value_path(&self, draft: &mut Draft, path: &str) -> ValuePath {
        value_path(draft, self.prefix, path)
    }

    pub(super) fn value_paths(&self, draft: &mut Draft, paths: &[&str]) -> Box<[ValuePath]> {
        value_paths(draft, self.prefix, paths)
    }

    /// The array at `path`, and the record of its elements.
    pub(super) fn list<'d>(&self, draft: &'d mut Draft, path: &str) -> (ListPath, &'d mut Draft) {
        let array = self.value_path(draft, path);
        let (head, elements) = draft.list(&array.name);
        (ListPath { array, head }, elements)
    }

    fn location(&self, column: &Column) -> Location {
        match self.api {
            Api::V1 => column.v1,
            Api::V2 => column.v2,
        }
    }

    fn column(&mut self, column: &Selected, draft: &mut Draft) -> Fill {
        match (self.location(column.column), &column.column.kind) {
            (Location::Nowhere, _) => Fill::Nothing,
            // Members of the line do not apply to a post that it only includes.
            (Location::At([path, ..]), _) if path.starts_with('/') && self.prefix.is_empty() && !self.is_flat => {
                Fill::Nothing
            }
            (Location::At(paths), ColumnType::List(_)) => {
                let arrays = paths.iter().map(|path| {
                    let (array, elements) = self.list(draft, path);
                    let item = self.item(&column.members[0], elements, &array.array.name);
                    (array, item)
                });
                Fill::List(arrays.collect())
            }
            (Location::At(paths), _) => Fill::Value(self.value_paths(draft, paths)),
            (Location::Inside(path), _) => self.object(path, column, draft),
            (Location::Beside, ColumnType::Struct(all)) => {
                let paths = all.iter().filter_map(|member| match self.location(member) {
                    Location::At(paths) => Some(paths),
                    _ => None,
                });
                let any = paths.flatten().map(|path| self.value_path(draft, path)).collect();
                Fill::Struct(Presence::AnyOf(any), self.members(column, draft))
            }
            (Location::First(path), _) => {
                let (array, element) = self.list(draft, path);
                Fill::Struct(Presence::First(array), self.at("").members(column, element))
            }
            (Location::Rule(rule), _) => self.rule(rule, column, draft),
            (Location::Beside, kind) => unreachable!("{kind:?} is no struct"),
        }
    }

    /// The element of the list at `path`, in the record of an element.
    pub(super) fn item(&mut self, item: &Selected, element: &mut Draft, path: &str) -> Fill {
        let mut scope = self.at("");
        let own = ValuePath { name: path.into(), ..scope.value_path(element, "") };
        match (&item.column.kind, scope.location(item.column)) {
            (ColumnType::Struct(_), _) => Fill::Struct(Presence::Object(own), scope.members(item, element)),
            (_, Location::At([""])) => Fill::Value(Box::new([own])),
            _ => scope.column(item, element),
        }
    }

    fn rule(&mut self, rule: Rule, column: &Selected, draft: &mut Draft) -> Fill {
        match rule {
            Rule::TweetId => Fill::TweetId,
            Rule::Role => Fill::Role,
            Rule::IngestPath => Fill::IngestPath,
            Rule::Api => Fill::Api,
            Rule::ReceivedAt => Fill::ReceivedAt,
            Rule::Raw => Fill::Raw,
            Rule::Source => Fill::Source(self.value_paths(draft, &["source"])),
            Rule::CreatedAt => Fill::CreatedAt(
                if self.api == Api::V1 { self.value_paths(draft, &["timestamp_ms"]) } else { Box::default() },
                self.value_paths(draft, &["created_at"]),
            ),
            Rule::Author2 if self.is_flat => self.object("author", column, draft),
            Rule::ReplyUsername2 if self.is_flat => {
                Fill::Value(self.value_paths(draft, &["in_reply_to_user.username"]))
            }
            Rule::Poll2 if self.is_flat => {
                let embedded = self.object("attachments.poll", column, draft);
                self.either("attachments.poll", embedded, rule, column, draft)
            }
            Rule::Place2 if self.is_flat => {
                let embedded = self.object("geo", column, draft);
                self.either("geo.id", embedded, rule, column, draft)
            }
            Rule::TextComplete1 | Rule::TweetType1 | Rule::Bbox1 => Fill::V1(Box::new(Fill1::new(rule, self, draft))),
            _ => Fill::V2(Box::new(Fill2::new(rule, self, column, draft))),
        }
    }
}

impl Scope<'_> {
    /// A struct of the members of the object at `path`.
    fn object(&mut self, path: &str, column: &Selected, draft: &mut Draft) -> Fill {
        let object = self.value_path(draft, path);
        let prefix = format!("{}{path}.", self.prefix);
        Fill::Struct(Presence::Object(object), self.at(&prefix).members(column, draft))
    }

    /// The embedded object if the value at `path` is present, else the one that the id refers to.
    fn either(&mut self, path: &str, embedded: Fill, rule: Rule, column: &Selected, draft: &mut Draft) -> Fill {
        let embedded_path = self.value_path(draft, path);
        let by_id = Fill::V2(Box::new(Fill2::new(rule, self, column, draft)));
        Fill::Either(embedded_path, Box::new([embedded, by_id]))
    }
}

pub(super) fn value_paths(draft: &mut Draft, prefix: &str, paths: &[&str]) -> Box<[ValuePath]> {
    paths.iter().map(|path| value_path(draft, prefix, path)).collect()
}

/// Parses a path of [`super::mapping`] and requests its value.
pub(super) fn value_path(draft: &mut Draft, prefix: &str, path: &str) -> ValuePath {
    let (path, null_string) = path.strip_suffix('?').map_or((path, false), |path| (path, true));
    let path = path.strip_prefix('/').map_or_else(|| format!("{prefix}{path}"), str::to_owned);
    let (path, element) = match path.strip_suffix(']').and_then(|path| path.rsplit_once('[')) {
        Some((array, element)) => (array.to_owned(), Some(element.parse().expect("our own paths hold numbers"))),
        None => (path, None),
    };
    let is_plain = element.is_none() && !null_string;
    ValuePath {
        slot: draft.value(&path),
        element,
        is_plain,
        is_ms: path.ends_with("_ms"),
        null_string,
        name: path.into(),
    }
}
