//! Areas between meridians and parallels, as both APIs ask for them. v1.1 takes a tagged place that overlaps one, v2 only
//! a place that lies within it.

use crate::simulate::tweet::model::Tweet;

/// West, south, east, north, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area(pub(crate) [f64; 4]);

/// Sides of v2's areas are shorter than this.
const MOST_METRES: f64 = 25.0 * 1609.344;

/// The Earth's mean radius in metres.
const RADIUS: f64 = 6_371_008.8;

impl Area {
    /// Four numbers, west before east and south before north, on the map.
    pub(crate) fn new(edges: [f64; 4]) -> Option<Area> {
        let [west, south, east, north] = edges;
        let is_on_map = west >= -180.0 && east <= 180.0 && south >= -90.0 && north <= 90.0;
        (is_on_map && west < east && south < north).then_some(Area(edges))
    }

    /// Whether both sides are short enough for v2.
    pub(crate) fn is_small(self) -> bool {
        let Area([west, south, east, north]) = self;
        let a_degree = RADIUS.to_radians();
        let latitude = if south <= 0.0 && north >= 0.0 { 0.0 } else { south.abs().min(north.abs()) };
        (north - south) * a_degree < MOST_METRES && (east - west) * a_degree * latitude.to_radians().cos() < MOST_METRES
    }

    fn has_point(self, (longitude, latitude): (f64, f64)) -> bool {
        let Area([west, south, east, north]) = self;
        (west..=east).contains(&longitude) && (south..=north).contains(&latitude)
    }

    /// v1.1's rule: the tweet's point, else its place by any part. A retweet has no place of its own.
    pub(crate) fn overlaps(self, tweet: &Tweet) -> bool {
        let Area([west, south, east, north]) = self;
        let meets = |[w, s, e, n]: [f64; 4]| w <= east && e >= west && s <= north && n >= south;
        match tweet.point {
            Some(point) => self.has_point(point),
            None => tweet.place.is_some_and(|place| meets(place.bbox)),
        }
    }

    /// v2's rule: the tweet's point, else its place as a whole.
    pub(crate) fn holds(self, tweet: &Tweet) -> bool {
        match tweet.point {
            Some(point) => self.has_point(point),
            None => tweet.place.is_some_and(|place| self.has_place(place.bbox)),
        }
    }

    pub(crate) fn has_place(self, [west, south, east, north]: [f64; 4]) -> bool {
        self.has_point((west, south)) && self.has_point((east, north))
    }
}
