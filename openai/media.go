package openai

import (
	"slices"
	"strings"
	"unicode/utf8"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// How images and sound are bounded, in tokens unless said otherwise. Each is what
// OpenAI's guides give as the most, as far as they were known when this was
// written; an answer that took more is charged in full.
const (
	// An image that is drawn: the largest at the best quality, and each partial
	// one besides.
	drawnTokens   = 6240
	partialTokens = 100
	// An image to draw from: 65 and at most eight tiles of 129; with high
	// fidelity 6,240 more.
	seenTokens         = 65 + 8*129
	seenTokensFaithful = seenTokens + 6240
	// Sound: no recording has less than 4 kbit/s, and the newer models take no
	// more than 25 minutes. What its own header says of its length is the
	// caller's word.
	bytesPerSecond   = 500
	longestRecording = 1500
	// A token is a tenth of a second of sound that is heard, and nobody speaks
	// more than eight in a second.
	heardPerSecond   = 10
	writtenPerSecond = 8
	// spokenPerCharacter bounds speech at its slowest.
	spokenPerCharacter = 8
	// A recording of a known speaker is at most 10 seconds long.
	speakerSeconds = 10
)

// media is what is asked of images and sound.
type media struct {
	quality, size, fidelity string
	partials                int64
	characters, speakers    int64
	// input is a bound on the input that is images or sound.
	input int64
}

// drawn gives the tokens of an image by quality and size: square, upright, wide.
var drawn = map[string][3]int64{
	"low": {272, 408, 400}, "medium": {1056, 1584, 1568}, "high": {4160, drawnTokens, 6208},
}

// drawnBound is what one image takes at most. The table holds for the models that
// it was made for.
func (r *Request) drawnBound() int64 {
	m := &r.media
	most := int64(drawnTokens)
	if known := drawn[m.quality]; m.quality != "" && listedImageModel(r.call.Model) {
		switch m.size {
		case "1024x1024":
			most = known[0]
		case "1024x1536":
			most = known[1]
		case "1536x1024":
			most = known[2]
		case "", "auto":
			most = max(known[0], known[1], known[2])
		}
	}
	if most == 0 {
		most = drawnTokens
	}
	return most + m.partials*partialTokens
}

func listedImageModel(model string) bool {
	return model == "gpt-image-1" || model == "gpt-image-1-mini"
}

// boundImages is the bound of images that are drawn.
func boundImages(r *Request) {
	n := r.images
	for _, f := range r.files {
		if f.name == "image" || f.name == "mask" {
			n++
		}
	}
	each := int64(seenTokensFaithful)
	if listedImageModel(r.call.Model) && r.media.fidelity != "high" {
		each = seenTokens
	}
	r.media.input = n * each
	r.call.MaxOutput = r.drawnBound()
	r.call.Extra = claviger.Units{{Kind: claviger.UnitImageInput, Amount: r.media.input}}
}

// boundSpeech is the bound of a text that is spoken. Some models are paid by its
// characters alone.
func boundSpeech(r *Request) {
	r.call.Extra = claviger.Units{{Kind: claviger.UnitCharacters, Amount: r.media.characters}}
	if byCharacter(r.call.Model) {
		return
	}
	r.call.MaxOutput = spokenPerCharacter * r.media.characters
	r.call.Extra = append(r.call.Extra, claviger.Unit{Kind: claviger.UnitAudioOutput, Amount: r.call.MaxOutput})
}

func byCharacter(model string) bool { return model == "tts-1" || strings.HasPrefix(model, "tts-1-") }

// boundRecording is the bound of a recording that is written down. Whisper is paid
// by the second alone, and streams nothing.
func boundRecording(r *Request) {
	seconds := r.media.speakers * speakerSeconds
	for _, f := range r.files {
		seconds += (f.file.Size + bytesPerSecond - 1) / bytesPerSecond
	}
	if strings.HasPrefix(r.call.Model, "gpt-4o-") {
		seconds = min(seconds, longestRecording+r.media.speakers*speakerSeconds)
	}
	r.call.Extra = claviger.Units{{Kind: claviger.UnitSeconds, Amount: seconds}}
	if strings.HasPrefix(r.call.Model, "whisper-") {
		r.call.Stream = false
		return
	}
	r.media.input = seconds * heardPerSecond
	r.call.MaxOutput = seconds * writtenPerSecond
	r.call.Extra = append(r.call.Extra, claviger.Unit{Kind: claviger.UnitAudioInput, Amount: r.media.input})
}

// takeText notes a setting that the bound depends on.
func takeText(into func(m *media) *string) func(*walker, *field, jsonx.Value) error {
	return func(w *walker, f *field, v jsonx.Value) error {
		*into(&w.req.media) = strings.Clone(v.Str())
		return w.write(f, v)
	}
}

func takePartials(w *walker, f *field, v jsonx.Value) error {
	w.req.media.partials, _ = v.Int()
	return w.write(f, v)
}

// takeB64 refuses what would come back as an address at the provider, which names
// the account.
func takeB64(w *walker, f *field, v jsonx.Value) error {
	switch {
	case v.IsNull():
		return nil
	case v.Is("url"):
		return w.refuse("", whyURL)
	}
	return w.write(f, v)
}

// endImages checks what concerns several members.
func endImages(w *walker) error {
	r := w.req
	if r.call.Stream && r.call.Choices > 1 {
		// Of what such a stream reports, nobody says whether it is for one or all.
		return w.invalid("n", "Must be 1 in a stream")
	}
	if !strings.HasPrefix(r.call.Model, "dall-e-") {
		return nil
	}
	if !slices.Contains(w.topLevel(), "response_format") {
		w.name("response_format")
		w.out = append(w.out, `"b64_json"`...)
	}
	return nil
}

// topLevel names the members that were written.
func (w *walker) topLevel() []string {
	v, err := jsonx.Parse(append(slices.Clip(w.out), '}'))
	if err != nil {
		return nil
	}
	var names []string
	for name := range v.Fields() {
		names = append(names, name)
	}
	return names
}

func checkSpoken(w *walker, v jsonx.Value) error {
	n := utf8.RuneCountInString(v.Str())
	if n > maxSpoken {
		return w.invalid("", "Too long: at most "+itoa(maxSpoken)+" characters are allowed")
	}
	w.req.media.characters = int64(n)
	return nil
}

// checkVoice lets the provider's own voices through, whose names are words. One
// that somebody made is an object of the account.
func checkVoice(w *walker, v jsonx.Value) error {
	name := v.Str()
	if v.Kind() == jsonx.KindObject || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" || len(name) > 32 {
		return w.refuse("", whyStored)
	}
	return nil
}

func takeStreamFormat(w *walker, f *field, v jsonx.Value) error {
	if v.Is("sse") {
		w.req.call.Stream = true
	}
	return w.write(f, v)
}

// takeFormat notes a transcript that is no JSON, and is passed on as it comes.
func takeFormat(w *walker, f *field, v jsonx.Value) error {
	if v.Is("text") || v.Is("srt") || v.Is("vtt") {
		w.req.call.Media = w.req.row.media
	}
	return w.write(f, v)
}

func takeSpeakers(w *walker, f *field, v jsonx.Value) error {
	w.req.media.speakers = int64(v.Len())
	return w.write(f, v)
}

// checkSample lets the sound of a speaker through, which brings itself.
func checkSample(w *walker, v jsonx.Value) error {
	if !strings.HasPrefix(v.Str(), "data:audio/") {
		return w.invalid("", "A recording is a data:audio/…;base64 URL")
	}
	return nil
}
