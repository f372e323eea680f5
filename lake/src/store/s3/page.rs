//! A page of a listing, from S3's XML into the SDK's own form of it, in a fraction of the time that the SDK takes.
//!
//! [`Pages`] puts [`Reader`] into the place of the SDK's deserializer of ListObjectsV2. It reads what a [`ListPage`] needs and
//! passes the rest by. It never fails: whatever is not just as expected, errors of S3 included, is given to the SDK's, so that
//! what an answer means is decided in one place. No request is made or changed here.
//!
//! [`ListPage`]: crate::store::ListPage

use aws_sdk_s3::config::{ConfigBag, FrozenLayer, Intercept, RuntimeComponents, RuntimePlugin};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2, ListObjectsV2Input, ListObjectsV2Output};
use aws_sdk_s3::types::{CommonPrefix, Object};
use aws_smithy_runtime_api::client::interceptors::context::{BeforeSerializationInterceptorContextMut, Error, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use aws_smithy_types::date_time::{DateTime, Format};
use quick_xml::Reader as Xml;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

/// Most names and tags are shorter than this, so that each is allocated once.
const TEXT_BYTES: usize = 64;

/// Has the pages of a client's listings read by [`Reader`].
#[derive(Debug)]
pub(super) struct Pages;

impl Intercept for Pages {
    fn name(&self) -> &'static str {
        "pages of a listing"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.input().downcast_ref::<ListObjectsV2Input>().is_some()
            && let Some(operation) = ListObjectsV2::new().config()
        {
            config.interceptor_state().store_put(SharedResponseDeserializer::new(Reader { operation }));
        }
        Ok(())
    }
}

/// Reads a page, or has the SDK read the answer.
#[derive(Debug)]
struct Reader {
    /// What the SDK keeps of the operation, its own deserializer among it.
    operation: FrozenLayer,
}

impl DeserializeResponse for Reader {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        config: &ConfigBag,
    ) -> Result<Output, OrchestratorError<Error>> {
        let body = response.body().bytes().filter(|_| response.status().is_success());
        if let Some(page) = body.and_then(|body| simdutf8::basic::from_utf8(body).ok()).and_then(page) {
            return Ok(Output::erase(page));
        }
        let sdk = self.operation.load::<SharedResponseDeserializer>();
        sdk.expect("an operation knows how its answers are read").deserialize_nonstreaming_with_config(response, config)
    }
}

/// The page that a text is, if it is one and nothing in it is out of the ordinary.
fn page(text: &str) -> Option<ListObjectsV2Output> {
    // A carriage return is to be read as a line feed, but not everywhere.
    if text.contains('\r') {
        return None;
    }
    let mut xml = Xml::from_str(text);
    xml.config_mut().expand_empty_elements = true;
    loop {
        match xml.read_event().ok()? {
            Event::Start(root) if name(&root) == "ListBucketResult" => break,
            Event::Decl(_) | Event::Text(_) => {}
            _ => return None,
        }
    }
    let (mut objects, mut folders, mut is_truncated) = (Vec::new(), Vec::new(), None);
    children(&mut xml, |xml, tag| {
        match name(tag) {
            "Contents" => objects.push(object(xml)?),
            "CommonPrefixes" => folders.push(folder(xml)?),
            "IsTruncated" => is_truncated = Some(content(xml)?.parse().ok()?),
            _ => pass_by(xml, tag)?,
        }
        Some(())
    })?;
    let page = ListObjectsV2Output::builder().set_is_truncated(is_truncated);
    Some(page.set_contents(Some(objects)).set_common_prefixes(Some(folders)).build())
}

fn object(xml: &mut Xml<&[u8]>) -> Option<Object> {
    let (mut key, mut modified, mut etag, mut size) = (None, None, None, None);
    children(xml, |xml, tag| {
        match name(tag) {
            "Key" => key = Some(content(xml)?),
            "LastModified" => modified = Some(DateTime::from_str(&content(xml)?, Format::DateTimeWithOffset).ok()?),
            "ETag" => etag = Some(content(xml)?),
            "Size" => size = Some(content(xml)?.parse().ok()?),
            _ => pass_by(xml, tag)?,
        }
        Some(())
    })?;
    Some(Object::builder().set_key(key).set_last_modified(modified).set_e_tag(etag).set_size(size).build())
}

fn folder(xml: &mut Xml<&[u8]>) -> Option<CommonPrefix> {
    let mut prefix = None;
    children(xml, |xml, tag| {
        match name(tag) {
            "Prefix" => prefix = Some(content(xml)?),
            _ => pass_by(xml, tag)?,
        }
        Some(())
    })?;
    Some(CommonPrefix::builder().set_prefix(prefix).build())
}

/// Gives each element in the one that is open to `take`, which reads it to its end, and ends with the open one.
fn children<'a>(
    xml: &mut Xml<&'a [u8]>,
    mut take: impl FnMut(&mut Xml<&'a [u8]>, &BytesStart<'a>) -> Option<()>,
) -> Option<()> {
    loop {
        match xml.read_event().ok()? {
            Event::Start(tag) => take(xml, &tag)?,
            Event::Text(_) => {}
            Event::End(_) => return Some(()),
            _ => return None,
        }
    }
}

fn name<'a>(tag: &'a BytesStart<'_>) -> &'a str {
    tag.local_name().into_inner()
}

fn pass_by(xml: &mut Xml<&[u8]>, tag: &BytesStart<'_>) -> Option<()> {
    xml.read_to_end(tag.name()).ok().map(|_| ())
}

/// The text in the element that is open, which holds nothing else.
fn content(xml: &mut Xml<&[u8]>) -> Option<String> {
    let mut text = String::with_capacity(TEXT_BYTES);
    loop {
        match xml.read_event().ok()? {
            Event::Text(part) => text.push_str(&part.into_inner()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                Some(character) => text.push(character),
                None => text.push_str(resolve_predefined_entity(&reference)?),
            },
            Event::End(_) => return Some(text),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;
    use proptest::prelude::*;

    use super::*;

    /// What this reader, and what the SDK makes of an answer: the objects, the folders and whether there are more.
    type Told = (Vec<Object>, Vec<CommonPrefix>, Option<bool>);

    fn both(status: u16, text: &str) -> [Result<Told, String>; 2] {
        let operation = ListObjectsV2::new().config().expect("it has one");
        let status = status.try_into().expect("a status");
        let response = HttpResponse::new(status, SdkBody::from(text));
        let told = |answer: Result<Output, OrchestratorError<Error>>| {
            let page = answer.map_err(|error| format!("{error:?}"))?;
            let page = page.downcast::<ListObjectsV2Output>().expect("a listing's output");
            // Nobody asks for the class.
            let plain = |object: &Object| {
                Object::builder()
                    .set_key(object.key.clone())
                    .set_e_tag(object.e_tag.clone())
                    .set_size(object.size)
                    .set_last_modified(object.last_modified)
                    .build()
            };
            Ok((page.contents().iter().map(plain).collect(), page.common_prefixes().to_vec(), page.is_truncated()))
        };
        let config = ConfigBag::base();
        let sdk = operation.load::<SharedResponseDeserializer>().expect("it has one");
        let sdk = told(sdk.deserialize_nonstreaming_with_config(&response, &config));
        [told(Reader { operation: operation.clone() }.deserialize_nonstreaming_with_config(&response, &config)), sdk]
    }

    fn escaped() -> impl Strategy<Value = String> {
        let piece = prop_oneof!["[a-z0-9/. _-]{0,9}", "[é→🜚'>]{1,2}", "&(amp|lt|gt|quot|apos|#38|#x1F;&#13);"];
        prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    fn element() -> impl Strategy<Value = String> {
        let known = (prop::sample::select(&["Key", "ETag", "StorageClass", "Else", "s3:Key"][..]), escaped());
        let number = any::<i64>().prop_map(|n| format!("<Size>{n}</Size>"));
        let time = (0..60).prop_map(|n| format!("<LastModified>2026-11-22T05:00:{n:02}.5Z</LastModified>"));
        prop_oneof![
            4 => known.prop_map(|(name, text)| format!("<{name}>{text}</{name}>")),
            2 => number,
            2 => time,
            1 => Just("<Owner><ID>Key</ID><Key>7</Key></Owner>".to_owned()),
            1 => prop::sample::select(&["<Key/>", "<ETag />", "\n  ", "<Else a=\"b\"/>"][..]).prop_map(str::to_owned),
        ]
    }

    fn part() -> impl Strategy<Value = String> {
        let object =
            prop::collection::vec(element(), 0..6).prop_map(|all| format!("<Contents>{}</Contents>", all.concat()));
        prop_oneof![
            6 => object,
            2 => escaped().prop_map(|text| format!("<CommonPrefixes><Prefix>{text}</Prefix></CommonPrefixes>")),
            1 => any::<bool>().prop_map(|yes| format!("<IsTruncated>{yes}</IsTruncated>")),
            1 => prop::sample::select(&["<Prefix/>", "<Contents/>", "<Name>x</Name>", "\n"][..]).prop_map(str::to_owned),
        ]
    }

    proptest! {
        #[test]
        fn a_page_says_the_same_as_by_the_sdk(parts in prop::collection::vec(part(), 0..8)) {
            let text = format!("<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"x\">{}</ListBucketResult>", parts.concat());
            prop_assert!(page(&text).is_some(), "{text}");
            let [own, sdk] = both(200, &text);
            prop_assert!(sdk.is_ok());
            prop_assert_eq!(own, sdk);
        }
    }

    #[test]
    fn what_is_out_of_the_ordinary_is_left_to_the_sdk() {
        let within = |text: &str| format!("<ListBucketResult>{text}</ListBucketResult>");
        for text in [
            String::new(),
            "It works!".to_owned(),
            "<html><p>Hello</html>".to_owned(),
            "<Error><Code>SlowDown</Code></Error>".to_owned(),
            "<ListBucketResult><Contents><Key>a</Key>".to_owned(),
            within("<Contents><Key><![CDATA[a]]></Key></Contents>"),
            within("<Contents><Key>a<!-- b --></Key></Contents>"),
            within("<Contents><Key>a&nbsp;b</Key></Contents>"),
            within("<Contents><Key>a\r\nb</Key></Contents>"),
            within("<Contents><Size>much</Size></Contents>"),
            within("<Contents><LastModified>yesterday</LastModified></Contents>"),
            within("<IsTruncated/>"),
            within("<IsTruncated>yes</IsTruncated>"),
        ] {
            assert_eq!(page(&text), None, "{text}");
            let [own, sdk] = both(200, &text);
            assert_eq!(own, sdk, "{text}");
        }
        let [own, sdk] = both(503, &within("<IsTruncated>true</IsTruncated>"));
        assert!(own.is_err());
        assert_eq!(own, sdk);
    }
}
