//! Two texts side by side: the unified form, as `diff -u` prints it.

/// The lines in which two texts differ, with three lines around them; empty where they are equal.
#[must_use]
pub fn unified_diff(expected: &str, found: &str) -> String {
    let old: Vec<&str> = expected.lines().collect();
    let new: Vec<&str> = found.lines().collect();
    let edits = edits(&old, &new);
    let mut text = String::new();
    let mut at = 0;
    while let Some(first) = (at..edits.len()).find(|at| !matches!(edits[*at], Edit::Same(..))) {
        let begin = first.saturating_sub(CONTEXT).max(at);
        let mut last = first;
        for (next, edit) in edits.iter().enumerate().skip(first) {
            match edit {
                Edit::Same(..) if next - last > 2 * CONTEXT => break,
                Edit::Same(..) => {}
                _ => last = next,
            }
        }
        let end = (last + CONTEXT + 1).min(edits.len());
        hunk(&edits[begin..end], &old, &new, &mut text);
        at = end;
    }
    text
}

/// One step from the old text to the new one: line numbers from 0.
#[derive(Clone, Copy)]
enum Edit {
    Same(usize, usize),
    Gone(usize, usize),
    Come(usize, usize),
}

fn hunk(edits: &[Edit], old: &[&str], new: &[&str], text: &mut String) {
    let (Edit::Same(one, two) | Edit::Gone(one, two) | Edit::Come(one, two)) = edits[0];
    let count = |keep: fn(&Edit) -> bool| edits.iter().filter(|edit| keep(edit)).count();
    let (gone, come) = (count(|edit| !matches!(edit, Edit::Come(..))), count(|edit| !matches!(edit, Edit::Gone(..))));
    text.push_str(&format!("@@ -{},{gone} +{},{come} @@\n", one + 1, two + 1));
    for edit in edits {
        let (sign, line) = match *edit {
            Edit::Same(at, _) => (' ', old[at]),
            Edit::Gone(at, _) => ('-', old[at]),
            Edit::Come(_, at) => ('+', new[at]),
        };
        text.push_str(&format!("{sign}{line}\n"));
    }
}

/// The steps along a longest common subsequence. What is common in front and behind is taken off first; where the rest is
/// too long for a table, all of it counts as changed.
fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let front = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - front;
    let behind = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[front..old.len() - behind], &new[front..new.len() - behind]);
    let mut all: Vec<Edit> = (0..front).map(|at| Edit::Same(at, at)).collect();
    if a.len() * b.len() <= CELLS_MAX {
        middle(a, b, front, &mut all);
    } else {
        all.extend((0..a.len()).map(|at| Edit::Gone(front + at, front)));
        all.extend((0..b.len()).map(|at| Edit::Come(front + a.len(), front + at)));
    }
    all.extend((0..behind).map(|at| Edit::Same(old.len() - behind + at, new.len() - behind + at)));
    all
}

fn middle(a: &[&str], b: &[&str], front: usize, all: &mut Vec<Edit>) {
    let width = b.len() + 1;
    let mut longest = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if a[i] == b[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            all.push(Edit::Same(front + i, front + j));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
            all.push(Edit::Gone(front + i, front + j));
            i += 1;
        } else {
            all.push(Edit::Come(front + i, front + j));
            j += 1;
        }
    }
}

const CONTEXT: usize = 3;
/// Cells of the table of a comparison: 16 MB.
const CELLS_MAX: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown_with_its_surroundings() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        assert_eq!(unified_diff(old, old), "");
        let new = "a\nb\nc\nd\nE\nf\ng\nh\ni\n";
        assert_eq!(unified_diff(old, new), "@@ -2,7 +2,8 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n+i\n");
        assert_eq!(unified_diff("", "x\n"), "@@ -1,0 +1,1 @@\n+x\n");
    }

    #[test]
    fn far_changes_are_apart() {
        let lines = |mark: &str| -> String {
            (0..30).map(|n| if n == 3 || n == 26 { format!("{mark}\n") } else { format!("{n}\n") }).collect()
        };
        let shown = unified_diff(&lines("x"), &lines("y"));
        assert_eq!(shown.matches("@@ ").count(), 2);
        assert_eq!(shown.matches("\n-x\n+y\n").count(), 2);
    }
}
