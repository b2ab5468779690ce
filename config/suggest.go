package config

import (
	"strings"
)

// unknownKey says what is wrong with a key that an object does not have, and
// which one was probably meant. of is what the object chooses between, empty
// for others.
func unknownKey(name string, s *shape, of string) fault {
	what := "unknown key"
	if of != "" {
		what = "unknown: this is not " + of
	}
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	if near := nearest(name, names); near != "" {
		return fault{what + `, did you mean "` + near + `"?`, ""}
	}
	if inner := within(name, s); inner != "" {
		return fault{what + ` here, did you mean "` + inner + `"?`, ""}
	}
	if of == "" {
		if outer := elsewhere(name); outer != "" {
			return fault{what + " here", `it belongs to ` + outer}
		}
	}
	return fault{what, "known here: " + quoted(names)}
}

// nearest gives the known word that is closest to a word, or nothing when none
// is close.
func nearest(word string, known []string) string {
	folded := fold(word)
	if k := begins(folded, known); k != "" {
		return k
	}
	best, least := "", 1+max(1, len(folded)/3)
	for _, k := range known {
		if d := distance(folded, fold(k), least); d < least {
			best, least = k, d
		}
	}
	return best
}

// begins gives the one known word of which the word is the beginning, or that
// is the beginning of the word.
func begins(word string, known []string) string {
	const shortest = 3
	found := ""
	for _, k := range known {
		f := fold(k)
		if min(len(word), len(f)) < shortest || !strings.HasPrefix(f, word) && !strings.HasPrefix(word, f) {
			continue
		}
		if found != "" {
			return ""
		}
		found = k
	}
	return found
}

// fold drops what people write in different ways: case, hyphens, underscores.
func fold(s string) string {
	const longest = 64
	s = s[:min(len(s), longest)]
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(s))
}

// distance is the number of letters to insert, drop, change or swap with their
// neighbour to make one word of the other, at most limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	var twoBefore []int
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		twoBefore, before, row = before, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := before[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, before[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], twoBefore[j-2]+1)
			}
		}
	}
	return min(row[len(b)], limit)
}

// within finds a key of that name one level further in.
func within(name string, s *shape) string {
	for _, f := range s.fields {
		inner := f.shape()
		if inner.form != formObject {
			continue
		}
		for _, g := range inner.fields {
			if g.name == name {
				return f.name + "." + g.name
			}
		}
	}
	return ""
}

// elsewhere finds the one object of the file that has a key of that name.
func elsewhere(name string) string {
	var found []string
	walk(rootKind().shape(), "", func(path string, s *shape) {
		for _, f := range s.fields {
			if f.name == name {
				found = append(found, path)
			}
		}
	})
	switch {
	case len(found) != 1:
		return ""
	case found[0] == "":
		return "the top level of the file"
	default:
		return found[0]
	}
}
