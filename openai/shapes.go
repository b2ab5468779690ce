package openai

import (
	"strconv"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// The plain shapes that the tables are made of.
var (
	anyString   = &shape{kinds: kString}
	nullString  = &shape{kinds: kString | kNull}
	shortString = &shape{kinds: kString, least: 1, most: 256}
	number      = &shape{kinds: kNumber | kNull}
	integer     = &shape{kinds: kNumber | kNull, whole: true}
	boolean     = &shape{kinds: kBool | kNull}
	// ownObject is the caller's own data, as a JSON Schema: any object.
	ownObject = &shape{kinds: kObject | kNull}
)

func oneOf(names ...string) *shape { return &shape{kinds: kString | kNull, enum: names} }

func exactly(name string) *shape { return &shape{kinds: kString, enum: []string{name}} }

func list(elem *shape, least, most int) *shape {
	return &shape{kinds: kArray, elem: elem, least: least, most: most}
}

func members(fields ...field) *shape {
	return &shape{kinds: kObject, object: &object{fields: fields}}
}

func tagged(tag string, variants ...variant) *shape {
	return &shape{kinds: kObject, union: &union{tag: tag, variants: variants}}
}

// or joins two shapes of different kinds.
func or(a, b *shape) *shape {
	s := *a
	s.kinds |= b.kinds
	if b.elem != nil {
		s.elem, s.least, s.most = b.elem, b.least, b.most
	}
	if b.object != nil {
		s.object = b.object
	}
	if b.union != nil {
		s.union = b.union
	}
	if b.each != nil {
		s.each, s.most = b.each, b.most
	}
	return &s
}

// orNull lets null through as well.
func orNull(s *shape) *shape {
	n := *s
	n.kinds |= kNull
	return &n
}

// String names the kinds as JSON Schema does.
func (k kinds) String() string {
	var names []string
	for i, n := range [...]string{"null", "boolean", "number", "string", "array", "object"} {
		if k&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, " or ")
}

func itoa(n int) string { return strconv.Itoa(n) }

func number64(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }

func appendIndex(b []byte, i int) []byte {
	return append(strconv.AppendInt(append(b, '['), int64(i), 10), ']')
}

// imageURL is an image: a data URL, or https for the provider to fetch. It
// counts as an image and not by its bytes.
var imageURL = &shape{kinds: kString, least: 1, check: func(w *walker, v jsonx.Value) error {
	url := v.Str()
	if !strings.HasPrefix(url, "https://") && !isImageData(url) {
		return w.invalid("", "An image is a data:image/…;base64 URL or an https URL")
	}
	w.req.imageBytes += int64(v.Size())
	w.req.images++
	return nil
}}

// isImageData tells a data URL of an image in base64, as
// "data:image/png;base64,…".
func isImageData(url string) bool {
	rest, ok := strings.CutPrefix(url, "data:image/")
	if !ok {
		return false
	}
	kind, data, ok := strings.Cut(rest, ";base64,")
	switch kind {
	case "png", "jpeg", "jpg", "webp", "gif":
		return ok && data != ""
	default:
		return false
	}
}

// imageDetail notes the one setting that makes an image cost more than others.
var imageDetail = &shape{
	kinds: kString | kNull, enum: []string{"auto", "low", "high", "original"},
	check: func(w *walker, v jsonx.Value) error {
		if v.Is("original") {
			w.req.originals = true
		}
		return nil
	},
}

// refusal is why something is refused that the provider would take.
type refusal struct {
	code   claviger.Code
	detail string
}

// whyStored is said of every reference whose kind has no guard, whoever made it.
var (
	whyStored       = refusal{claviger.CodeNotFound, "References to stored objects are not allowed: send the content itself"}
	whyNoObject     = refusal{claviger.CodeNotFound, "Not found"}
	whyFile         = refusal{claviger.CodeForbidden, "Files are not allowed: send text or images"}
	whyAudio        = refusal{claviger.CodeForbidden, "Audio is not allowed"}
	whyUnpriced     = refusal{claviger.CodeForbidden, "This is not allowed: what it costs is not known beforehand"}
	whyRetained     = refusal{claviger.CodeForbidden, "This is not allowed: it keeps data at the provider"}
	whyProgram      = refusal{claviger.CodeForbidden, "Tools that the provider calls by a program are not allowed"}
	whyHosted       = refusal{claviger.CodeForbidden, "This type of tool is not allowed"}
	whyRole         = refusal{claviger.CodeForbidden, "Instructions are the server's: send messages of the roles user, assistant and tool"}
	whyInstructions = refusal{claviger.CodeForbidden, "Instructions are the server's: leave this member out"}
	whyPrompt       = refusal{claviger.CodeForbidden, "This stored prompt is not allowed"}
	whyConfigured   = refusal{claviger.CodeForbidden, "This member is not allowed here"}
	whyPurpose      = refusal{claviger.CodeForbidden, "Files of this purpose are not allowed: user_data, assistants and vision are"}
	whyBackground   = refusal{claviger.CodeForbidden, "Background responses are not allowed"}
)

// cacheFields are the members that steer the provider's prompt cache. A longer
// retention keeps prompts on disk, and explicit writes are charged for.
var cacheFields = []field{
	{name: "prompt_cache_key", is: nullString},
	{name: "prompt_cache_retention", is: &shape{kinds: kString | kNull, check: func(w *walker, v jsonx.Value) error {
		if !v.Is("in_memory") && !v.Is("in-memory") {
			return w.refuse("", whyRetained)
		}
		return nil
	}}},
	{name: "prompt_cache_options", rule: refuse, why: whyUnpriced},
}

var noBreakpoint = field{name: "prompt_cache_breakpoint", rule: refuse, why: whyUnpriced}
