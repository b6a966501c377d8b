//! The pictures of what is on sale, drawn as small SVG scenes: nothing is stored or fetched, and the
//! same picture always looks the same.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};

use crate::cars::{self, Class};
use crate::chance::next;
use crate::hotels::{self, Property};

/// A year: a picture never changes.
const CACHED: &str = "public, max-age=31536000, immutable";

/// Sky, wall and ground of a scene, as colours of SVG.
const PALETTES: [[&str; 4]; 5] = [
    ["#bfe3f5", "#f3d9b1", "#7fa36b", "#8c5a3c"],
    ["#fbd3c1", "#e8c7d8", "#8f9b6e", "#6b4a6e"],
    ["#d7e9f7", "#e9e4d8", "#6f9a8d", "#41607a"],
    ["#2f3e63", "#c9a77c", "#3d4f4a", "#7a4b39"],
    ["#cfeee6", "#fff3e0", "#a3b18a", "#bc6c25"],
];

/// `GET /pictures/hotels/{number}/{n}.svg` and `GET /pictures/cars/{class}.svg`.
pub(crate) fn router(seed: u64) -> Router {
    Router::new()
        .route("/pictures/hotels/{number}/{file}", get(hotel))
        .route("/pictures/cars/{file}", get(car))
        .with_state(seed)
}

async fn car(Path(file): Path<String>) -> Response {
    let code = file.strip_suffix(".svg").unwrap_or_default();
    match cars::of_code(code) {
        Some(class) => svg(&automobile(class)),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A car from its side: long and high as its class is.
fn automobile(class: &Class) -> String {
    let (length, height) = match class.code.as_bytes() {
        [_, b'V', ..] => (330, 120),
        [_, b'F', ..] => (300, 96),
        [_, b'S' | b'T', ..] => (300, 58),
        [b'M' | b'E', ..] => (220, 78),
        [b'P' | b'L' | b'F', ..] => (330, 72),
        _ => (280, 74),
    };
    let (left, bottom) = (240 - length / 2, 240);
    let (right, roof) = (left + length, bottom - 62 - height);
    let mut drawing = format!(
        r##"<rect width="480" height="320" fill="#eef3f6"/><rect y="240" width="480" height="80" fill="#9aa5ad"/><rect x="{left}" y="{}" width="{length}" height="62" rx="20" fill="{}"/>"##,
        bottom - 72,
        class.colour,
    );
    // A convertible has no roof.
    if class.code.as_bytes().get(1) != Some(&b'T') {
        let _ = write!(
            drawing,
            r##"<path d="M{} {} L{} {roof} L{} {roof} L{} {} Z" fill="#cfe3ee" stroke="{}" stroke-width="8"/>"##,
            left + length / 5,
            bottom - 70,
            left + length * 2 / 5,
            right - length / 5,
            right - length / 12,
            bottom - 70,
            class.colour,
        );
    }
    for wheel in [left + length / 5, right - length / 5] {
        let _ = write!(
            drawing,
            r##"<circle cx="{wheel}" cy="{}" r="28" fill="#22262b"/><circle cx="{wheel}" cy="{}" r="12" fill="#c9d1d6"/>"##,
            bottom - 8,
            bottom - 8,
        );
    }
    drawing
}

async fn hotel(State(seed): State<u64>, Path((number, file)): Path<(u64, String)>) -> Response {
    let wanted = file.strip_suffix(".svg").and_then(|n| n.parse::<u8>().ok());
    let found = hotels::property(seed, number).zip(wanted);
    match found.filter(|(property, n)| (1..=property.pictures).contains(n)) {
        Some((property, n)) => svg(&scene(&property, n)),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A picture as an answer: its media type, and that it can be kept.
fn svg(content: &str) -> Response {
    let document = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 320" width="480" height="320" role="img">{content}</svg>"#
    );
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, CACHED),
    ];
    (headers, document).into_response()
}

fn scene(property: &Property, n: u8) -> String {
    let mut state = property.number;
    let drawn = usize::try_from(next(&mut state) % 5).unwrap_or(0);
    let palette = PALETTES.get(drawn).copied();
    let palette = palette.unwrap_or(["#bfe3f5", "#f3d9b1", "#7fa36b", "#8c5a3c"]);
    let mut state = state ^ u64::from(n);
    let pool = property.amenities.contains(&"pool");
    match n {
        1 => house(property, palette, &mut state),
        3 if pool => swimming(palette, &mut state),
        4 => view(palette, &mut state),
        _ => bedroom(palette, &mut state),
    }
}

/// The outside of the house, one floor per star, some windows lit.
fn house(property: &Property, [sky, wall, ground, roof]: [&str; 4], state: &mut u64) -> String {
    let floors = u64::from(property.half_stars.div_ceil(2)).max(2);
    let columns = 4 + next(state) % 4;
    let (width, height) = (columns * 44 + 20, floors * 38 + 34);
    let (left, top) = (240 - width / 2, 270 - height);
    let sun = 40 + next(state) % 400;
    let mut drawing = format!(
        r##"<rect width="480" height="320" fill="{sky}"/><circle cx="{sun}" cy="58" r="26" fill="#ffe9a8"/><rect y="262" width="480" height="58" fill="{ground}"/><rect x="{left}" y="{top}" width="{width}" height="{height}" fill="{wall}"/><rect x="{}" y="{}" width="{}" height="14" rx="3" fill="{roof}"/>"##,
        left - 8,
        top - 10,
        width + 16,
    );
    for floor in 0..floors {
        for column in 0..columns {
            let lit = if next(state).is_multiple_of(3) {
                "#ffe9a8"
            } else {
                "#5f7f99"
            };
            let (x, y) = (left + 20 + column * 44, top + 16 + floor * 38);
            // Writing to a string cannot fail.
            let _ = write!(
                drawing,
                r#"<rect x="{x}" y="{y}" width="24" height="24" rx="2" fill="{lit}"/>"#
            );
        }
    }
    let _ = write!(
        drawing,
        r#"<rect x="224" y="240" width="32" height="30" fill="{roof}"/>"#
    );
    drawing
}

/// A bed, a lamp and a window.
fn bedroom([sky, wall, ground, accent]: [&str; 4], state: &mut u64) -> String {
    let window = 40 + next(state) % 240;
    let lamp = if next(state).is_multiple_of(2) {
        60
    } else {
        400
    };
    format!(
        r##"<rect width="480" height="320" fill="{wall}"/><rect y="250" width="480" height="70" fill="{accent}" opacity=".55"/><rect x="{window}" y="36" width="150" height="96" fill="{sky}" stroke="#fff" stroke-width="8"/><path d="M{window} 112 q75 -46 150 0 v20 h-150z" fill="{ground}"/><rect x="{lamp}" y="160" width="6" height="90" fill="#444"/><path d="M{} 160 h46 l-10 -34 h-26z" fill="#ffe9a8"/><rect x="110" y="168" width="260" height="60" rx="10" fill="{accent}"/><rect x="104" y="206" width="272" height="70" rx="8" fill="#fff"/><rect x="104" y="234" width="272" height="42" rx="6" fill="{ground}"/><rect x="126" y="188" width="96" height="32" rx="10" fill="#f4f4f4"/><rect x="258" y="188" width="96" height="32" rx="10" fill="#f4f4f4"/>"##,
        lamp - 20,
    )
}

/// A pool with parasols.
fn swimming([sky, wall, ground, accent]: [&str; 4], state: &mut u64) -> String {
    let mut drawing = format!(
        r##"<rect width="480" height="320" fill="{sky}"/><rect y="120" width="480" height="200" fill="{wall}"/><path d="M0 130 q120 -60 240 -10 t240 -6 v20 h-480z" fill="{ground}"/><rect x="70" y="190" width="340" height="90" rx="44" fill="#4fb3d9"/><path d="M110 226 q20 -10 40 0 t40 0 t40 0 t40 0 t40 0" fill="none" stroke="#fff" stroke-width="3" opacity=".7"/>"##
    );
    for column in 0..3 {
        let x = 70 + column * 140 + next(state) % 40;
        let _ = write!(
            drawing,
            r##"<rect x="{x}" y="146" width="4" height="40" fill="#666"/><path d="M{} 150 q30 -34 60 0z" fill="{accent}"/>"##,
            x - 28,
        );
    }
    drawing
}

/// Hills behind water.
fn view([sky, wall, ground, accent]: [&str; 4], state: &mut u64) -> String {
    let (one, other) = (60 + next(state) % 80, 60 + next(state) % 80);
    format!(
        r##"<rect width="480" height="320" fill="{sky}"/><circle cx="360" cy="70" r="30" fill="{wall}"/><path d="M0 220 L{one} 110 L200 220z" fill="{accent}" opacity=".7"/><path d="M120 220 L300 {other} L480 220z" fill="{accent}" opacity=".5"/><rect y="218" width="480" height="102" fill="#6fb7d1"/><path d="M0 320 q140 -84 300 -30 t180 -10 v40z" fill="{ground}"/>"##
    )
}
