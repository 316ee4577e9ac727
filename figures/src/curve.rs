//! Rate and distortion: error against ratio, one line per codec.

use crate::axis::Axis;
use crate::error::Result;
use crate::font;
use crate::frame::{Entry, Frame, Key, TICK};
use crate::palette::{INK, WHITE, series};
use crate::published::Published;
use crate::record::Record;
use crate::render::{self, Format};
use crate::scene::{Align, Scene};
use crate::summary::{Metric, Spread, Summary, summarise};
use std::path::Path;

/// The picture of one error metric against the compression ratio, both axes logarithmic.
///
/// Every point is one codec with one choice of settings: total bytes in / total bytes out against the mean of the
/// metric over the inputs (for largest errors: the largest). A band shows the smallest and the largest value among
/// the inputs; a codec with a single point shows the spread of its ratios too. An error of 0 has a row of its own
/// below the axis.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve {
    /// The line above the picture; may be empty.
    pub title: String,
    /// What the vertical axis shows.
    pub metric: Metric,
    /// Points of others to compare with.
    pub published: Vec<Published>,
}

/// One line a family of codecs, what stands before the colon of their names, of the choices of settings that no other
/// of the family beats: that has no lower ratio and no larger error. `keeps` says which families stay as they are.
///
/// Rows that failed or lack a figure are left out.
pub fn front(rows: &[Record], metric: Metric, keeps: impl Fn(&str) -> bool) -> Vec<Record> {
    let curve = Curve { metric, ..Curve::default() };
    let family = |codec: &str| codec.split(':').next().unwrap_or_default().to_owned();
    let summaries = summarise(rows);
    let points: Vec<(&Summary, Point)> =
        summaries.iter().filter_map(|summary| Some((summary, curve.point(summary)?))).collect();
    let is_beaten = |own: &Summary, point: &Point| {
        points.iter().any(|(other, better)| {
            let no_worse = better.ratio >= point.ratio && better.value <= point.value;
            let differs = better.ratio > point.ratio || better.value < point.value;
            family(&other.codec) == family(&own.codec) && no_worse && differs
        })
    };
    let chosen: Vec<&Summary> = points
        .iter()
        .filter(|(summary, point)| keeps(&family(&summary.codec)) || !is_beaten(summary, point))
        .map(|(summary, _)| *summary)
        .collect();
    let is_chosen = |row: &&Record| {
        !row.failed() && chosen.iter().any(|s| s.codec == row.codec && s.settings == row.settings)
    };
    let mut out: Vec<Record> = rows.iter().filter(is_chosen).cloned().collect();
    for row in &mut out {
        let family = family(&row.codec);
        if !keeps(&family) {
            row.codec = family;
        }
    }
    out
}

/// One codec's points that can be drawn, by rising ratio.
struct Series {
    codec: String,
    points: Vec<Point>,
}

struct Point {
    ratio: f64,
    value: f64,
    ratios: Spread,
    values: Spread,
}

impl Curve {
    /// The picture of `rows` as the bytes of a file.
    ///
    /// Rows that failed or lack a figure are left out, and counted in a remark. No row at all gives an empty frame.
    ///
    /// # Errors
    /// Only where the drawing library fails.
    pub fn render(&self, rows: &[Record], format: Format) -> Result<Vec<u8>> {
        render::render(&self.scene(rows), format)
    }

    /// The picture of `rows` as an SVG or PNG file, by the ending of `path`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for another ending, [`Error::Io`](crate::Error::Io) where the file cannot
    /// be written.
    pub fn save(&self, rows: &[Record], path: &Path) -> Result<()> {
        render::save(&self.scene(rows), path)
    }

    fn scene(&self, rows: &[Record]) -> Scene {
        let lines = self.lines(&summarise(rows));
        let marks: Vec<&Published> = self.published.iter().filter(|p| p.ratio > 0.0).collect();
        let points = || lines.iter().flat_map(|line| &line.points);
        let ratios = points().flat_map(|p| {
            // Single points show the spread of their ratios: make room for it.
            [p.ratio, p.ratios.min, p.ratios.max]
        });
        let values = points().flat_map(|p| [p.value, p.values.min, p.values.max]);
        let x = Axis::log(
            "compression ratio (bytes in / bytes out)",
            ratios.chain(marks.iter().map(|p| p.ratio)),
            false,
            9,
        );
        let y = Axis::log(self.metric.label(), values.chain(marks.iter().map(|p| p.value)), true, 9);
        let mut legend: Vec<Entry> = lines
            .iter()
            .enumerate()
            .map(|(i, line)| Entry {
                name: line.codec.clone(),
                note: String::new(),
                color: series(i),
                key: Key::Marked(i),
            })
            .collect();
        let numbered = marks.iter().zip(1..).map(|(mark, i)| format!("{i} {}", mark.label));
        legend.extend(numbered.map(|name| Entry { name, note: String::new(), color: INK, key: Key::Star }));
        let (frame, mut scene) = Frame::start(&self.title, x, y, &legend);
        for (i, line) in lines.iter().enumerate() {
            draw_spread(&frame, &mut scene, line, i);
        }
        for (i, line) in lines.iter().enumerate() {
            draw_line(&frame, &mut scene, line, i);
        }
        frame.finish(&mut scene);
        draw_published(&frame, &mut scene, &marks, &lines);
        if lines.is_empty() && marks.is_empty() {
            frame.say(&mut scene, "no row with both figures");
        }
        let left_out = rows.iter().filter(|row| !self.shows(row)).count();
        if left_out > 0 {
            frame.remark(&mut scene, &format!("{left_out} of {} runs without figures", rows.len()));
        }
        scene
    }

    fn shows(&self, row: &Record) -> bool {
        !row.failed()
            && row.raw_bytes.is_some_and(|n| n > 0)
            && row.bytes.is_some_and(|n| n > 0)
            && self.metric.of(row).is_some()
    }

    fn lines(&self, summaries: &[Summary]) -> Vec<Series> {
        let mut lines: Vec<Series> = Vec::new();
        for summary in summaries {
            let Some(point) = self.point(summary) else {
                continue;
            };
            match lines.iter_mut().find(|line| line.codec == summary.codec) {
                Some(line) => line.points.push(point),
                None => lines.push(Series { codec: summary.codec.clone(), points: vec![point] }),
            }
        }
        for line in &mut lines {
            line.points.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
        }
        lines
    }

    fn point(&self, summary: &Summary) -> Option<Point> {
        let (ratio, ratios) = (summary.ratio.filter(|r| *r > 0.0)?, summary.ratio_spread?);
        let values = *summary.metrics.get(&self.metric)?;
        let value = self.metric.total(&values);
        (value >= 0.0 && value.is_finite()).then_some(Point { ratio, value, ratios, values })
    }
}

fn draw_spread(frame: &Frame, scene: &mut Scene, line: &Series, i: usize) {
    if let [point] = line.points.as_slice() {
        let whiskers = [
            [(point.ratio, point.values.min), (point.ratio, point.values.max)],
            [(point.ratios.min, point.value), (point.ratios.max, point.value)],
        ];
        for [from, to] in whiskers {
            if let (Some(from), Some(to)) = (frame.point(from.0, from.1), frame.point(to.0, to.1)) {
                scene.line(vec![from, to], 1.5, series(i));
            }
        }
        return;
    }
    let edge = |value: fn(&Point) -> f64| {
        line.points.iter().filter_map(move |p| frame.point(p.ratio, value(p))).collect::<Vec<_>>()
    };
    let mut outline = edge(|p| p.values.min);
    outline.extend(edge(|p| p.values.max).into_iter().rev());
    scene.fill(outline, series(i), 0.15);
}

fn draw_line(frame: &Frame, scene: &mut Scene, line: &Series, i: usize) {
    let points: Vec<_> = line.points.iter().filter_map(|p| frame.point(p.ratio, p.value)).collect();
    scene.line(points.clone(), 2.5, series(i));
    for point in points {
        scene.marker(point, i, series(i));
    }
}

/// Stars with their numbers in the legend, which avoid one another and, as far as there is room, the points of the lines.
fn draw_published(frame: &Frame, scene: &mut Scene, marks: &[&Published], lines: &[Series]) {
    let place = |mark: &Published| frame.point_inside(mark.ratio, mark.value);
    let stars = || marks.iter().zip(1..).filter_map(|(mark, i)| Some((i, place(mark)?)));
    let mut taken: Vec<(f64, f64, f64)> = stars().map(|(_, (x, y))| (x - 10.0, x + 10.0, y)).collect();
    let points: Vec<(f64, f64)> =
        lines.iter().flat_map(|l| &l.points).filter_map(|p| frame.point(p.ratio, p.value)).collect();
    let (top, bottom) = frame.vertical();
    for (i, (x, y)) in stars() {
        let label = i.to_string();
        let width = font::width(&label, TICK - 1.0);
        let sides = [x + 14.0, x - 14.0 - width];
        let has_room = |left: &f64| *left > frame.left() + 4.0 && left + width < frame.right() - 4.0;
        // Labels side by side would hide one another: take the nearest free line.
        let free = |left: f64, at: f64| {
            at > top + 10.0
                && at < bottom - 10.0
                && taken.iter().all(|(l, r, t)| left > *r || left + width < *l || (at - t).abs() > 17.0)
        };
        let hidden = |left: f64, at: f64| {
            let is_below = |(px, py): &&(f64, f64)| {
                (left - 8.0..left + width + 8.0).contains(px) && (at - py).abs() < 16.0
            };
            points.iter().filter(is_below).count()
        };
        let steps = (0..12).flat_map(|k| [f64::from(k) * -9.0, f64::from(k) * 9.0]);
        let places = steps.flat_map(|d| sides.into_iter().filter(has_room).map(move |left| (left, y + d)));
        let (left, at) = places
            .filter(|(left, at)| free(*left, *at))
            .min_by_key(|(left, at)| hidden(*left, *at))
            .unwrap_or((sides[if has_room(&sides[0]) { 0 } else { 1 }], y));
        taken.push((left, left + width, at));
        if (at - y).abs() > TICK {
            // Too far from its star to be told from those of others.
            let end = if left > x { left } else { left + width };
            scene.line(vec![(x, y), (end, at)], 1.0, INK);
        }
        let (l, r) = (left - 3.0, left + width + 3.0);
        scene.fill(vec![(l, at - 9.0), (r, at - 9.0), (r, at + 9.0), (l, at + 9.0)], WHITE, 0.75);
        scene.text((left, at), &label, TICK - 1.0, INK, Align::Start);
    }
    for (_, at) in stars() {
        scene.star(at, INK);
    }
}
