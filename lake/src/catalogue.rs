//! Listing a lake's hours from one sweep.
