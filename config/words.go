package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

func same(s string) string { return s }

// text is any text that is not empty.
func text(example string) *scalar[string] {
	return &scalar[string]{
		noun: "text", example: example, tags: []string{tagText, tagDate},
		parse: func(s string) (string, error) {
			if strings.TrimSpace(s) == "" {
				return "", fault{"is empty", "give it a value, or take the key away"}
			}
			return s, nil
		},
		format: same,
		schema: []jsonx.Member{typeIs("string"), pattern(`\S`)},
	}
}

// matching is a text of a form.
func matching(noun, example, re string, bad fault) *scalar[string] {
	compiled := regexp.MustCompile(re)
	return &scalar[string]{
		noun: noun, example: example, tags: []string{tagText, tagDate},
		parse: func(s string) (string, error) {
			if !compiled.MatchString(s) {
				return "", bad
			}
			return s, nil
		},
		format: same,
		schema: []jsonx.Member{typeIs("string"), pattern(re)},
	}
}

// condition is an expression, which may be the word true.
func condition() *scalar[string] {
	s := text(`user.claims.plan == "pro"`)
	s.noun, s.tags = "a condition", []string{tagText, tagBool}
	s.schema = []jsonx.Member{has("type", words([]string{"string", "boolean"})), pattern(`\S`)}
	return s
}

// choice is one of some words.
func choice(options ...string) *scalar[string] {
	return &scalar[string]{
		noun: "one of " + quoted(options), tags: []string{tagText},
		parse: func(s string) (string, error) {
			if slices.Contains(options, s) {
				return s, nil
			}
			f := fault{"must be one of " + quoted(options), ""}
			if near := nearest(s, options); near != "" {
				f.message += `, did you mean "` + near + `"?`
			}
			return "", f
		},
		format: same,
		schema: []jsonx.Member{has("enum", words(options))},
	}
}

// truth is true or false.
func truth() *scalar[bool] {
	return &scalar[bool]{
		noun: "true or false", tags: []string{tagBool},
		parse: func(s string) (bool, error) {
			switch strings.ToLower(s) {
			case "true":
				return true, nil
			case "false":
				return false, nil
			}
			return false, fault{"must be true or false", ""}
		},
		format: strconv.FormatBool,
		schema: []jsonx.Member{typeIs("boolean")},
	}
}

// whole is a whole number between two bounds, without units. 0 is left out when
// it is written.
func whole(least, most int64) *scalar[int64] {
	noun := "a whole number from " + strconv.FormatInt(least, 10) + " to " + strconv.FormatInt(most, 10)
	bad := fault{"must be " + noun, ""}
	return &scalar[int64]{
		noun: noun, tags: []string{tagInt},
		parse: func(s string) (int64, error) {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n < least || n > most {
				return 0, bad
			}
			return n, nil
		},
		format: func(n int64) string {
			if n == 0 {
				return ""
			}
			return strconv.FormatInt(n, 10)
		},
		schema: []jsonx.Member{typeIs("integer"), has("minimum", jsonx.Int(least)), has("maximum", jsonx.Int(most))},
	}
}

// fraction is a number between two bounds that may be left out.
func fraction(least, most float64) *scalar[*float64] {
	noun := "a number from " + decimal(least) + " to " + decimal(most)
	bad := fault{"must be " + noun, ""}
	return &scalar[*float64]{
		noun: noun, tags: []string{tagInt, tagFloat},
		parse: func(s string) (*float64, error) {
			// Only what JSON calls a number, so that it means one thing.
			f, ok := jsonx.Number(s).Float()
			if !ok || f < least || f > most {
				return nil, bad
			}
			return &f, nil
		},
		format: func(f *float64) string {
			if f == nil {
				return ""
			}
			return decimal(*f)
		},
		schema: []jsonx.Member{typeIs("number"), has("minimum", jsonx.Float(least)), has("maximum", jsonx.Float(most))},
	}
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// secretRef is a reference to a secret.
func secretRef() *scalar[claviger.Ref] {
	return &scalar[claviger.Ref]{
		noun: "a reference to a secret", example: "env:NAME", tags: []string{tagText, tagInt, tagFloat, tagBool, tagDate},
		parse:  parseRef,
		format: func(r claviger.Ref) string { return string(r) },
		schema: []jsonx.Member{typeIs("string"), pattern(`^(env:[A-Za-z_][A-Za-z0-9_]*|file:[^\n]*\S[^\n]*|command:[^\n]*\S[^\n]*)$`)},
	}
}
