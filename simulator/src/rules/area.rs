//! Areas bounded by meridians and parallels. v1.1 matches a place that overlaps the area, v2 one that lies within it.

use crate::tweet::model::Tweet;

/// West, south, east, north, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area(pub(crate) [f64; 4]);

/// Sides of v2's areas are shorter than this.
const MAX_SIDE_M: f64 = 25.0 * 1609.344;

/// The Earth's mean radius in metres.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

impl Area {
    /// `None` unless the edges are on the map, west before east and south before north.
    pub(crate) fn new(edges: [f64; 4]) -> Option<Area> {
        let [west, south, east, north] = edges;
        let is_on_map = west >= -180.0 && east <= 180.0 && south >= -90.0 && north <= 90.0;
        (is_on_map && west < east && south < north).then_some(Area(edges))
    }

    /// Whether both sides are short enough for v2.
    pub(crate) fn is_small(self) -> bool {
        let Area([west, south, east, north]) = self;
        let degree = EARTH_RADIUS_M.to_radians();
        let latitude = if south <= 0.0 && north >= 0.0 { 0.0 } else { south.abs().min(north.abs()) };
        (north - south) * degree < MAX_SIDE_M && (east - west) * degree * latitude.to_radians().cos() < MAX_SIDE_M
    }

    fn has_point(self, (longitude, latitude): (f64, f64)) -> bool {
        let Area([west, south, east, north]) = self;
        (west..=east).contains(&longitude) && (south..=north).contains(&latitude)
    }

    /// Whether a place with these edges overlaps the area.
    pub(crate) fn overlaps(self, [west, south, east, north]: [f64; 4]) -> bool {
        let Area([w, s, e, n]) = self;
        west <= e && east >= w && south <= n && north >= s
    }

    /// Whether a place with these edges lies within the area.
    pub(crate) fn contains(self, [west, south, east, north]: [f64; 4]) -> bool {
        self.has_point((west, south)) && self.has_point((east, north))
    }

    /// Whether the tweet's point, or its place by `test` where it has no point, is in the area. A retweet has neither.
    pub(crate) fn matches(self, tweet: &Tweet, test: fn(Area, [f64; 4]) -> bool) -> bool {
        match tweet.point {
            Some(point) => self.has_point(point),
            None => tweet.place.is_some_and(|place| test(self, place.edges)),
        }
    }
}
