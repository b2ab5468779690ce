package redact

import (
	"encoding/base64"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// forms are the ways in which a secret may be written inside of text: as it
// is, escaped for JSON (plainly, with \/, and with what HTML or scripts need), for
// HTML by both of Go's packages, for URLs, and in base64 at each of the three places
// where it may begin. In base64 the characters at both ends depend on what is
// around the secret, and are left out.
func forms(secret []byte) []string {
	s := string(secret)
	all := []string{s}
	add := func(f string) {
		if len(f) >= shortest && !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	for _, slash := range []string{"/", `\/`} {
		for _, web := range []string{"", "<>&", "<>&'+"} {
			add(jsonForm(s, slash, web))
		}
	}
	add(html.EscapeString(s))
	add(strings.ReplaceAll(html.EscapeString(s), "+", "&#43;"))
	add(url.QueryEscape(s))
	add(url.PathEscape(s))
	for before := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			add(base64Form(secret, before, enc))
		}
	}
	return all
}

// jsonForm is s as it stands between the quotes of a JSON string.
func jsonForm(s, slash, web string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '/':
			b.WriteString(slash)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || strings.ContainsRune(web, r):
			hex := strconv.FormatInt(int64(r), 16)
			b.WriteString(`\u` + strings.Repeat("0", 4-len(hex)) + hex)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// base64Form is the part of the encoding that the secret alone decides, when
// before bytes stand before it in its group of three.
func base64Form(secret []byte, before int, enc *base64.Encoding) string {
	text := enc.EncodeToString(append(make([]byte, before), secret...))
	// Whole groups of six bits: skip those that hold bits from before, and the
	// last one where bits of what follows would fill it.
	from := (before*8 + 5) / 6
	to := (before + len(secret)) * 8 / 6
	return text[min(from, to):to]
}
