//! How often and how long a request that failed is sent again. The waits between attempts are the SDK's: exponential, with
//! jitter, at most [`LONGEST_WAIT`].
//!
//! A request is sent three times. A read that the server throttles (503, 429) is sent again for [`PATIENCE`], however many
//! attempts that takes and whatever other requests have used of the SDK's retry quota: throttled readers each wait longer
//! and longer, which is what the server asks for. [`Retries::most`] decides, and is pure.

use std::time::{Duration, Instant};

use aws_sdk_s3::config::retry::{RetryConfig, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextMut, FinalizerInterceptorContextMut,
};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_types::config_bag::{Storable, StoreReplace};

use super::S3Options;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 3;
const SLOWEST_BYTES_PER_SECOND: u64 = 128 * 1024;
/// How long a throttled read is repeated. With the last wait it stays below the time after which a reader calls an object
/// stalled, so that the error tells the cause.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// The limits of one store, as the options set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retries {
    attempts: Option<u32>,
    timeout: Option<Duration>,
}

impl Retries {
    pub(super) fn of(options: &S3Options) -> Retries {
        Retries { attempts: options.max_attempts, timeout: options.retry_timeout }
    }

    pub(super) fn config(self) -> RetryConfig {
        let attempts = self.attempts.unwrap_or(ATTEMPTS);
        RetryConfig::standard().with_max_attempts(attempts).with_max_backoff(LONGEST_WAIT)
    }

    /// The time that a request with a body of so many bytes may take, and each of its attempts.
    pub(super) fn timeouts(self, bytes: u64) -> TimeoutConfig {
        let attempt = ATTEMPT_TIMEOUT + Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND);
        let all = match self.timeout {
            // The last attempt begins a wait after the limit at the latest.
            Some(timeout) => timeout + LONGEST_WAIT + attempt,
            None => attempt * self.attempts.unwrap_or(ATTEMPTS) + ATTEMPT_TIMEOUT,
        };
        TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(attempt)
            .operation_timeout(all)
            .build()
    }

    /// How long a read may be repeated before its answer, where the options say it.
    pub(super) fn longest(self) -> Option<Duration> {
        self.timeout.map(|timeout| timeout + LONGEST_WAIT)
    }

    /// How many attempts a request may have that failed after so many of them and so much time.
    fn most(self, is_throttled_read: bool, attempts: u32, elapsed: Duration) -> u32 {
        let limit = self.timeout.or(is_throttled_read.then_some(PATIENCE));
        if limit.is_some_and(|limit| elapsed >= limit) {
            return attempts;
        }
        // One more at a time: the SDK works with each number of attempts, and would with a huge one for long.
        self.attempts.unwrap_or(if is_throttled_read { attempts + 1 } else { ATTEMPTS })
    }
}

/// A request under way.
#[derive(Debug, Clone, Copy)]
struct Begun {
    at: Instant,
    is_read: bool,
}

impl Storable for Begun {
    type Storer = StoreReplace<Begun>;
}

impl Intercept for Retries {
    fn name(&self) -> &'static str {
        "limits of retries"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_read = matches!(context.request().method(), "GET" | "HEAD");
        config.interceptor_state().store_put(Begun { at: Instant::now(), is_read });
        Ok(())
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (Some(begun), Some(attempts)) = (config.load::<Begun>().copied(), config.load::<RequestAttempts>()) else {
            return Ok(());
        };
        if !matches!(context.output_or_error(), Some(Err(_))) {
            return Ok(());
        }
        let is_throttled = context.response().is_some_and(|response| matches!(response.status().as_u16(), 429 | 503));
        let is_throttled_read = begun.is_read && is_throttled;
        let most = self.most(is_throttled_read, attempts.attempts(), begun.at.elapsed());
        let limited = config.load::<RetryConfig>().cloned().unwrap_or_else(|| self.config()).with_max_attempts(most);
        config.interceptor_state().store_put(limited);
        if is_throttled_read {
            config.interceptor_state().store_put(TokenBucket::unlimited());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
