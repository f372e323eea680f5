//! Headers that the options ask for: of every request, of every put, and of puts of data.
//!
//! A put in one request and the beginning of one in parts take the same headers; a part and its completion take none.
//! Objects whose names have a part that begins with `_` (the lease, manifests, markers) are no data: in an archive's storage class
//! or under a rule for tags they would be lost to readers.

use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::create_multipart_upload::CreateMultipartUploadInput;
use aws_sdk_s3::operation::put_object::PutObjectInput;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};

use super::S3Options;

type Header = (&'static str, String);

/// What goes along with which request, of one store.
#[derive(Debug, Clone)]
pub(super) struct Headers {
    /// What stands before a key, as in the store.
    root: String,
    requests: Vec<Header>,
    puts: Vec<Header>,
    data: Vec<Header>,
}

impl Headers {
    pub(super) fn of(options: &S3Options, root: &str) -> Headers {
        let given = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        let payer = options.request_payer.then(|| ("x-amz-request-payer", "requester".to_owned()));
        let puts = [
            given("x-amz-server-side-encryption", &options.sse),
            given("x-amz-server-side-encryption-aws-kms-key-id", &options.sse_kms_key_id),
            given("x-amz-acl", &options.acl),
        ];
        let tags = (!options.tags.is_empty()).then(|| ("x-amz-tagging", query(&options.tags)));
        let data = [given("x-amz-storage-class", &options.storage_class), tags];
        Headers {
            root: root.to_owned(),
            requests: payer.into_iter().collect(),
            puts: puts.into_iter().flatten().collect(),
            data: data.into_iter().flatten().collect(),
        }
    }

    fn of_put(&self, key: &str) -> Vec<Header> {
        let name = key.strip_prefix(&self.root).unwrap_or(key);
        let is_data = !name.split('/').any(|part| part.starts_with('_'));
        let data = if is_data { &self.data[..] } else { &[] };
        [&self.puts[..], data].concat()
    }
}

/// Names and values as `a=1&b=2`, percent-encoded.
fn query(tags: &[(String, String)]) -> String {
    let encoded = |text: &str| {
        text.bytes().fold(String::new(), |mut all, byte| {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => all.push(char::from(byte)),
                _ => all.push_str(&format!("%{byte:02X}")),
            }
            all
        })
    };
    tags.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect::<Vec<_>>().join("&")
}

/// The headers of one put.
#[derive(Debug)]
struct OfPut(Vec<Header>);

impl Storable for OfPut {
    type Storer = StoreReplace<OfPut>;
}

impl Intercept for Headers {
    fn name(&self) -> &'static str {
        "headers of the options"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input();
        let key = match (input.downcast_ref::<PutObjectInput>(), input.downcast_ref::<CreateMultipartUploadInput>()) {
            (Some(put), _) => put.key(),
            (_, Some(put)) => put.key(),
            _ => None,
        };
        if let Some(key) = key {
            config.interceptor_state().store_put(OfPut(self.of_put(key)));
        }
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let of_put = config.load::<OfPut>().map_or(&[][..], |put| &put.0[..]);
        let headers = context.request_mut().headers_mut();
        for (name, value) in self.requests.iter().chain(of_put) {
            headers.insert(*name, value.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
