//! Runs at different times in one report: what was published of some scenarios stays when others are measured anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::Measurement;

/// Which scenario was measured in which run.
pub(crate) struct Runs {
    /// The title of a run by scenario.
    by_scenario: BTreeMap<String, String>,
    /// Of this run.
    title: String,
}

impl Runs {
    /// A run that has measured all of `measurements`.
    pub(crate) fn new(title: &str, measurements: &[Measurement]) -> Self {
        let by_scenario = measurements.iter().map(|m| (m.scenario.clone(), title.to_owned())).collect();
        Self { by_scenario, title: title.to_owned() }
    }

    /// Adds what an earlier report (its JSON) has of scenarios that are known and were not measured now.
    ///
    /// # Errors
    /// It is not as [`crate::json`] writes it.
    pub(crate) fn keep(
        &mut self,
        published: &str,
        measurements: &mut Vec<Measurement>,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let measured: BTreeSet<String> = self.by_scenario.keys().cloned().collect();
        let mut main = String::new();
        let mut others = BTreeMap::new();
        let mut kept = Vec::new();
        for line in published.lines() {
            if let Some(title) = text_of(line, "title") {
                match text_of(line, "scenario") {
                    Some(scenario) => drop(others.insert(scenario, title)),
                    None => main = title,
                }
            } else if let Some(scenario) = text_of(line, "scenario")
                && is_known(&scenario)
                && !measured.contains(&scenario)
            {
                let title = others.get(&scenario).unwrap_or(&main).clone();
                self.by_scenario.insert(scenario.clone(), title);
                kept.push(measurement(line, scenario).ok_or_else(|| format!("no measurement: {line}"))?);
            }
        }
        kept.append(measurements);
        *measurements = kept;
        Ok(())
    }

    /// The run that has measured the most.
    pub(crate) fn main(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for title in self.by_scenario.values() {
            *counts.entry(title).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map_or(&*self.title, |(title, _)| title).to_owned()
    }

    /// The run of that scenario.
    pub(crate) fn of(&self, scenario: &str) -> &str {
        self.by_scenario.get(scenario).unwrap_or(&self.title)
    }

    /// The other runs, each with its scenarios.
    pub(crate) fn others(&self) -> BTreeMap<&str, Vec<&str>> {
        let main = self.main();
        let mut others: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (scenario, title) in self.by_scenario.iter().filter(|(_, title)| **title != main) {
            others.entry(title).or_default().push(scenario);
        }
        others
    }

    /// The titles, as the first lines of the report's JSON.
    pub(crate) fn json(&self) -> String {
        let mut text = format!("  \"title\": \"{}\",\n", escape(&self.main()));
        let others: Vec<String> = self
            .others()
            .into_iter()
            .flat_map(|(title, scenarios)| {
                let line = move |scenario| {
                    format!("    {{\"scenario\": \"{scenario}\", \"title\": \"{}\"}}", escape(title))
                };
                scenarios.into_iter().map(line)
            })
            .collect();
        if !others.is_empty() {
            text.push_str(&format!("  \"at_another_time\": [\n{}\n  ],\n", others.join(",\n")));
        }
        text
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn measurement(line: &str, scenario: String) -> Option<Measurement> {
    Some(Measurement {
        scenario,
        implementation: text_of(line, "implementation")?,
        round: number_of(line, "round")?.parse().ok()?,
        clients: number_of(line, "clients")?.parse().ok()?,
        metric: text_of(line, "metric")?,
        value: number_of(line, "value")?.parse().ok()?,
    })
}

/// The text that follows that name in a line of the JSON.
fn text_of(line: &str, name: &str) -> Option<String> {
    let rest = after(line, name)?.strip_prefix('"')?;
    let mut text = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => text.push(characters.next()?),
            character => text.push(character),
        }
    }
}

fn number_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = after(line, name)?;
    Some(&rest[..rest.find([',', '}'])?])
}

fn after<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    Some(line.split_once(&format!("\"{name}\": "))?.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json, read_measurements};

    fn measured(lines: &str) -> Vec<Measurement> {
        read_measurements(lines).unwrap()
    }

    #[test]
    fn what_is_not_measured_anew_stays() {
        let first = measured(
            "a\trust\t1\t0\tx\t1\nb\trust\t1\t0\tx\t2.5\nold\trust\t1\t0\tx\t3\nb\tbuiltin\t2\t7\ty\t-4\n",
        );
        let published = json(&first, &Runs::new("monday, \"quiet\"", &first));
        let mut second = measured("a\trust\t1\t0\tx\t10\n");
        let mut runs = Runs::new("tuesday", &second);
        runs.keep(&published, &mut second, |scenario| scenario != "old").unwrap();
        let values: Vec<(&str, f64)> = second.iter().map(|m| (&*m.metric, m.value)).collect();
        assert_eq!(values, [("x", 2.5), ("y", -4.0), ("x", 10.0)]);
        assert_eq!((runs.of("a"), runs.of("b")), ("tuesday", "monday, \"quiet\""));

        let published = json(&second, &runs);
        let mut third = measured("c\trust\t1\t0\tx\t1\nd\trust\t1\t0\tx\t1\n");
        let mut runs = Runs::new("wednesday", &third);
        runs.keep(&published, &mut third, |_| true).unwrap();
        assert_eq!((third.len(), &*runs.main()), (5, "wednesday"));
        assert_eq!((runs.of("a"), runs.of("b")), ("tuesday", "monday, \"quiet\""));
    }
}
