//! The time that an S3 server reports: the `Date` header of its answers, errors included.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;

use crate::store::{ServerTime, http_date_ms};

/// Keeps the time of the last answer; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Dates(Arc<Mutex<Option<ServerTime>>>);

impl Dates {
    pub(super) fn last(&self) -> Option<ServerTime> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Dates {
    fn name(&self) -> &'static str {
        "dates of answers"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let received = Instant::now();
        if let Some(at_ms) = context.response().headers().get("date").and_then(http_date_ms) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ServerTime { at_ms, received });
        }
        Ok(())
    }
}
