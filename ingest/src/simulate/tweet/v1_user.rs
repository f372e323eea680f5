//! The v1.1 user object, with the members that had long lost their meaning and were sent all the same.

use super::json::Json;
use super::people::User;

/// Writes the whole object.
pub(crate) fn write(json: &mut Json<'_>, user: &User) {
    json.open().key("id").number(user.id).key("id_str").id(user.id).key("name").str(&user.name);
    json.key("screen_name").str(&user.handle).key("location");
    or_null(json, user.location);
    json.key("url");
    or_null(json, user.url.as_ref().map(|(_, page)| page.as_str()));
    json.key("description");
    or_null(json, Some(user.description).filter(|text| !text.is_empty()));
    json.raw(",\"translator_type\":\"none\"").key("protected").bool(false).key("verified").bool(user.verified);
    json.key("followers_count").number(user.followers).key("friends_count").number(user.following);
    json.key("listed_count").number(user.listed).key("favourites_count").number(user.likes);
    json.key("statuses_count").number(user.posts).key("created_at").time_v1(user.created_ms);
    json.raw(
        ",\"utc_offset\":null,\"time_zone\":null,\"geo_enabled\":true,\"lang\":null,\"contributors_enabled\":false",
    );
    json.raw(",\"is_translator\":false,\"profile_background_color\":\"F5F8FA\",\"profile_background_image_url\":\"\"");
    json.raw(",\"profile_background_image_url_https\":\"\",\"profile_background_tile\":false");
    json.raw(",\"profile_link_color\":\"1DA1F2\",\"profile_sidebar_border_color\":\"C0DEED\"");
    json.raw(",\"profile_sidebar_fill_color\":\"DDEEF6\",\"profile_text_color\":\"333333\"");
    json.raw(",\"profile_use_background_image\":true");
    for (key, scheme) in [("profile_image_url", "http"), ("profile_image_url_https", "https")] {
        json.key(key).raw("\"").raw(scheme).raw(":\\/\\/");
        match &user.picture {
            Some(path) => json.raw("pbs.twimg.com\\/profile_images\\/").raw(path).raw("_normal.jpg\""),
            None => json.raw("abs.twimg.com\\/sticky\\/default_profile_images\\/default_profile_normal.png\""),
        };
    }
    if let Some(banner) = user.banner {
        json.key("profile_banner_url")
            .raw("\"https:\\/\\/pbs.twimg.com\\/profile_banners\\/")
            .number(user.id)
            .raw("\\/");
        json.number(banner).raw("\"");
    }
    json.key("default_profile").bool(user.banner.is_none()).key("default_profile_image").bool(user.picture.is_none());
    json.raw(",\"following\":null,\"follow_request_sent\":null,\"notifications\":null").close();
}

fn or_null(json: &mut Json<'_>, text: Option<&str>) {
    match text {
        Some(text) => json.str(text),
        None => json.raw("null"),
    };
}
