//! v1.1's user, with the members that had lost their meaning long before and were still sent.

use serde::Serialize;
use serde_json::value::RawValue;

use super::json::{Id, write_ascii};
use super::time::TimeV1;
use crate::tweet::users::User;

pub(super) fn user(user: &User) -> &RawValue {
    user.v1.get_or_init(|| {
        let mut json = Vec::new();
        write_ascii(&mut json, &members(user));
        let json = String::from_utf8(json).expect("ASCII is UTF-8");
        RawValue::from_string(json).expect("the writer gives valid JSON")
    })
}

fn members(user: &User) -> impl Serialize {
    let picture = match &user.picture {
        Some(path) => format!("pbs.twimg.com/profile_images/{path}_normal.jpg"),
        None => "abs.twimg.com/sticky/default_profile_images/default_profile_normal.png".to_owned(),
    };
    object! {
        "id" => user.id, "id_str" => Id(user.id), "name" => &user.name, "screen_name" => &user.handle,
        "location" => user.location, "url" => user.url.as_ref().map(|(_, page)| page),
        "description" => (!user.description.is_empty()).then_some(user.description), "translator_type" => "none",
        "protected" => false, "verified" => user.is_verified, "followers_count" => user.followers,
        "friends_count" => user.following, "listed_count" => user.listed, "favourites_count" => user.likes,
        "statuses_count" => user.posts, "created_at" => TimeV1(user.created_ms), "utc_offset" => (),
        "time_zone" => (), "geo_enabled" => true, "lang" => (), "contributors_enabled" => false,
        "is_translator" => false, "profile_background_color" => "F5F8FA", "profile_background_image_url" => "",
        "profile_background_image_url_https" => "", "profile_background_tile" => false,
        "profile_link_color" => "1DA1F2", "profile_sidebar_border_color" => "C0DEED",
        "profile_sidebar_fill_color" => "DDEEF6", "profile_text_color" => "333333",
        "profile_use_background_image" => true, "profile_image_url" => format!("http://{picture}"),
        "profile_image_url_https" => format!("https://{picture}"),
        "profile_banner_url" ? => user
            .banner
            .map(|banner| format!("https://pbs.twimg.com/profile_banners/{}/{banner}", user.id)),
        "default_profile" => user.banner.is_none(), "default_profile_image" => user.picture.is_none(),
        "following" => (), "follow_request_sent" => (), "notifications" => (),
    }
}
