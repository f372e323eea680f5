//! The fields and expansions that a v2 client asked for.

/// A set of names of one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Set(u64);

impl Set {
    /// Whether the set has the name at this index of its list.
    pub(crate) const fn has(self, index: u32) -> bool {
        self.0 & (1 << index) != 0
    }
}

macro_rules! names {
    // A constant for each name that is sent, its index in the list. Names after the semicolon are accepted and change
    // nothing: they are always sent (`id`), or not simulated.
    ($($constant:ident = $name:literal),+; $($other:literal),*) => {
        names!(@constants 0; $($constant)+);
        pub(super) const ALL: &[&str] = &[$($name,)+ $($other),*];
    };
    (@constants $at:expr; $constant:ident $($rest:ident)*) => {
        pub(crate) const $constant: u32 = $at;
        names!(@constants $at + 1; $($rest)*);
    };
    (@constants $at:expr;) => {};
}

pub(crate) mod tweet {
    names!(
        ATTACHMENTS = "attachments", AUTHOR_ID = "author_id", CONTEXT_ANNOTATIONS = "context_annotations",
        CONVERSATION_ID = "conversation_id", CREATED_AT = "created_at", DISPLAY_TEXT_RANGE = "display_text_range",
        EDIT_CONTROLS = "edit_controls", ENTITIES = "entities", GEO = "geo", IN_REPLY_TO_USER_ID = "in_reply_to_user_id",
        LANG = "lang", NOTE_TWEET = "note_tweet", POSSIBLY_SENSITIVE = "possibly_sensitive",
        PUBLIC_METRICS = "public_metrics", REFERENCED_TWEETS = "referenced_tweets", REPLY_SETTINGS = "reply_settings";
        "edit_history_tweet_ids", "id", "text", "article", "card_uri", "community_id", "paid_partnership", "scopes",
        "source", "withheld", "media_metadata", "matched_media_notes", "suggested_source_links",
        "suggested_source_links_with_counts", "note_request_suggestions"
    );
}

pub(crate) mod user {
    names!(
        CREATED_AT = "created_at", DESCRIPTION = "description", ENTITIES = "entities", LOCATION = "location",
        PINNED = "pinned_tweet_id", BANNER = "profile_banner_url", IMAGE = "profile_image_url", PROTECTED = "protected",
        METRICS = "public_metrics", URL = "url", VERIFIED = "verified", VERIFIED_TYPE = "verified_type";
        "id", "name", "username", "affiliation", "is_identity_verified", "most_recent_tweet_id", "parody",
        "subscription_type", "verified_followers_count", "withheld"
    );
}

pub(crate) mod media {
    names!(
        ALT_TEXT = "alt_text", DURATION = "duration_ms", HEIGHT = "height", PREVIEW = "preview_image_url",
        METRICS = "public_metrics", URL = "url", VARIANTS = "variants", WIDTH = "width";
        "media_key", "type"
    );
}

pub(crate) mod place {
    names!(
        COUNTRY = "country", COUNTRY_CODE = "country_code", GEO = "geo", NAME = "name", TYPE = "place_type";
        "contained_within", "full_name", "id"
    );
}

pub(crate) mod poll {
    names!(MINUTES = "duration_minutes", END = "end_datetime", STATUS = "voting_status"; "id", "options");
}

/// Objects sent beside the post.
pub(crate) mod expansion {
    names!(
        AUTHOR = "author_id", IN_REPLY_TO = "in_reply_to_user_id", REFERENCED = "referenced_tweets.id",
        REFERENCED_AUTHOR = "referenced_tweets.id.author_id",
        REFERENCED_MEDIA = "referenced_tweets.id.attachments.media_keys", MENTIONS = "entities.mentions.username",
        MEDIA = "attachments.media_keys", POLLS = "attachments.poll_ids", PLACE = "geo.place_id";
        "entities.note.mentions.username", "attachments.media_source_tweet", "edit_history_tweet_ids",
        "article.cover_media", "article.media_entities"
    );
}

/// Everything that a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fields {
    pub(crate) tweet: Set,
    pub(crate) user: Set,
    pub(crate) media: Set,
    pub(crate) place: Set,
    pub(crate) poll: Set,
    pub(crate) expansions: Set,
}

impl Fields {
    /// Adds the names of one query parameter; `Ok(false)` if the parameter is none of these.
    ///
    /// # Errors
    /// A sentence about the first unknown name.
    pub(crate) fn add(&mut self, parameter: &str, value: &str) -> Result<bool, String> {
        let (set, known) = match parameter {
            "tweet.fields" | "post.fields" => (&mut self.tweet, tweet::ALL),
            "user.fields" => (&mut self.user, user::ALL),
            "media.fields" => (&mut self.media, media::ALL),
            "place.fields" => (&mut self.place, place::ALL),
            "poll.fields" => (&mut self.poll, poll::ALL),
            "expansions" => (&mut self.expansions, expansion::ALL),
            _ => return Ok(false),
        };
        for name in value.split(',').filter(|name| !name.is_empty()) {
            let Some(index) = known.iter().position(|other| *other == name) else {
                let known = known.join(",");
                return Err(format!("The `{parameter}` query parameter value [{name}] is not one of [{known}]"));
            };
            set.0 |= 1 << index;
        }
        Ok(true)
    }

    #[cfg(test)]
    pub(crate) fn all() -> Fields {
        let all = Set(u64::MAX);
        Fields { tweet: all, user: all, media: all, place: all, poll: all, expansions: all }
    }
}
