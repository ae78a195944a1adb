//! The chart of the scenario `fresh`: how old the states are that arrive at a client behind a slow link, over time.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{Measurement, Number, STYLE, Sample, escape};

/// Metric, implementation, what it is called, and how its line looks.
const CURVES: [(&str, &str, &str, &str); 3] = [
    ("age", "builtin", "the built-in class", "stroke=\"#8c959f\" stroke-width=\"5\""),
    (
        "age",
        "rust",
        "this addon, unreliable_lifetime = 0",
        "stroke=\"#0969da\" stroke-width=\"2.5\" stroke-dasharray=\"7 5\"",
    ),
    (
        "age_with_lifetime",
        "rust",
        "this addon, unreliable_lifetime = 100",
        "stroke=\"#d9642c\" stroke-width=\"3.5\"",
    ),
];
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 84.0;
const TOP: f64 = 96.0;
const BOTTOM: f64 = 316.0;

/// What was measured as `NAME@SECONDS`: for each time the median of the runs.
fn points(measurements: &[Measurement], name: &str, implementation: &str) -> Vec<(f64, f64)> {
    // Keyed by milliseconds, which sort as numbers do.
    let mut by_time: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for m in measurements.iter().filter(|m| m.scenario == "fresh" && m.implementation == implementation) {
        let time = m.metric.split_once('@').filter(|(of, _)| *of == name);
        if let Some(time) = time.and_then(|(_, time)| time.parse::<f64>().ok()) {
            by_time.entry((time * 1000.0) as u64).or_default().push(m.value);
        }
    }
    by_time
        .into_iter()
        .map(|(time, mut values)| {
            values.sort_by(f64::total_cmp);
            (time as f64 / 1000.0, Sample(values).median())
        })
        .collect()
}

/// The age over time; `None` if that was not measured.
pub(crate) fn lines(measurements: &[Measurement], title: &str) -> Option<String> {
    let curves: Vec<_> = CURVES
        .into_iter()
        .map(|(metric, implementation, label, look)| {
            (points(measurements, metric, implementation), label, look)
        })
        .filter(|(points, ..)| !points.is_empty())
        .collect();
    let all = || curves.iter().flat_map(|(points, ..)| points);
    let (longest, oldest) =
        all().fold((0.0, 0.0), |(x, y), point| (f64::max(x, point.0), f64::max(y, point.1)));
    if longest == 0.0 || oldest == 0.0 {
        return None;
    }
    let (longest, oldest) = (longest.ceil(), oldest.ceil());
    let place = |(time, age): (f64, f64)| {
        (LEFT + time / longest * (WIDTH - LEFT - RIGHT), BOTTOM - age / oldest * (BOTTOM - TOP))
    };
    let mut svg = head(title);
    axes(&mut svg, longest, oldest, place);
    let mut free = 0.0;
    for (index, (points, label, look)) in curves.iter().enumerate() {
        curve(&mut svg, points, look, place);
        free = last_value(&mut svg, points, free, place);
        legend(&mut svg, index, label, look);
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

fn head(title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\">{STYLE}<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\
         <text class=\"title\" x=\"20\" y=\"28\">How old the states are that a client behind a slow link sees</text>\
         <text class=\"note\" x=\"20\" y=\"47\">60 states of 1 KiB a second over a link of 32 KiB a second. {}</text>",
        escape(title)
    )
}

fn axes(svg: &mut String, longest: f64, oldest: f64, place: impl Fn((f64, f64)) -> (f64, f64)) {
    let right = WIDTH - RIGHT;
    for age in 0..=(oldest as u32) {
        let (_, y) = place((0.0, age.into()));
        let class = if age == 0 { "one" } else { "grid" };
        _ = write!(
            svg,
            "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
             <text class=\"note\" text-anchor=\"end\" x=\"{}\" y=\"{:.1}\">{age} s</text>",
            LEFT - 8.0,
            y + 4.0
        );
    }
    for time in (0..=(longest as u32)).step_by(2) {
        let (x, _) = place((time.into(), 0.0));
        _ = write!(
            svg,
            "<text class=\"note\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{}\">{time} s</text>",
            BOTTOM + 18.0
        );
    }
    _ = write!(
        svg,
        "<text class=\"note\" x=\"{LEFT}\" y=\"{}\">age</text>\
         <text class=\"note\" text-anchor=\"end\" x=\"{right}\" y=\"{}\">time since the first state</text>",
        TOP - 12.0,
        BOTTOM + 34.0
    );
}

fn curve(svg: &mut String, points: &[(f64, f64)], look: &str, place: impl Fn((f64, f64)) -> (f64, f64)) {
    let path: Vec<String> = points
        .iter()
        .map(|point| {
            let (x, y) = place(*point);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    _ = write!(svg, "<polyline fill=\"none\" {look} points=\"{}\"/>", path.join(" "));
}

/// The value at the right end, no higher than `free`; returns where there is room for the next one.
fn last_value(
    svg: &mut String,
    points: &[(f64, f64)],
    free: f64,
    place: impl Fn((f64, f64)) -> (f64, f64),
) -> f64 {
    let Some(last) = points.last() else { return free };
    let (x, y) = place(*last);
    let y = f64::max(y + 4.0, free);
    _ = write!(svg, "<text class=\"value\" x=\"{:.1}\" y=\"{y:.1}\">{} s</text>", x + 10.0, Number(last.1));
    y + 14.0
}

fn legend(svg: &mut String, index: usize, label: &str, look: &str) {
    let y = 70.0;
    let x = LEFT + [0.0, 190.0, 480.0][index.min(2)];
    _ = write!(
        svg,
        "<line {look} x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/>\
         <text class=\"label\" x=\"{}\" y=\"{}\">{}</text>",
        x + 34.0,
        x + 42.0,
        y + 4.5,
        escape(label)
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_measurements;

    #[test]
    fn a_line_for_each_of_three() {
        let lines = "fresh\tbuiltin\t1\t0\tage@0.5\t0.4\nfresh\tbuiltin\t1\t0\tage@10\t4.6\nfresh\trust\t1\t0\tage@10\t4.5\n\
             fresh\trust\t1\t0\tage_with_lifetime@10\t0.1\nfresh\trust\t2\t0\tage_with_lifetime@10\t0.3\n\
             fresh\trust\t1\t0\tage_s\t9\n";
        let measurements = read_measurements(lines).unwrap();
        assert_eq!(points(&measurements, "age", "builtin"), [(0.5, 0.4), (10.0, 4.6)]);
        let chart = lines_of(&measurements);
        assert_eq!((chart.matches("<polyline").count(), chart.matches(">6 s<").count()), (3, 1));
        assert!(chart.contains(">0.200 s<") && chart.contains(">5 s<"), "{chart}");
        assert!(super::lines(&[], "title").is_none());
    }

    fn lines_of(measurements: &[Measurement]) -> String {
        super::lines(measurements, "title").unwrap()
    }
}
