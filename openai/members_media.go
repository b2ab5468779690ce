package openai

import (
	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// The members of POST /images/… and POST /audio/….

// maxSpoken is how many characters are spoken at once, and maxPrompt how many bytes
// a picture or a recording is described by: 32,000 characters (OpenAI).
const (
	maxSpoken = 4096
	maxPrompt = 4 * 32000
	// maxImages is how many images are drawn from (OpenAI).
	maxImages = 16
)

var whyURL = refusal{claviger.CodeForbidden, "Addresses of images are not given out: ask for b64_json"}

func between(least, most float64) *shape {
	return &shape{kinds: kNumber | kNull, check: func(w *walker, v jsonx.Value) error {
		if n, ok := v.Float(); !ok || n < least || n > most {
			return w.invalid("", "Must be from "+number64(least)+" to "+number64(most))
		}
		return nil
	}}
}

func wholeBetween(least, most float64) *shape {
	s := between(least, most)
	s.whole = true
	return s
}

// drawMembers are what the requests for images have in common.
func drawMembers(more ...field) []field {
	return append([]field{
		{name: "model", is: modelName, need: true, take: takeModel},
		{name: "prompt", is: &shape{kinds: kString, least: 1, most: maxPrompt}, need: true, counts: true},
		{name: "n", is: integer, take: takeChoices},
		{name: "quality", is: oneOf("standard", "hd", "low", "medium", "high", "auto"), take: takeText(func(m *media) *string { return &m.quality })},
		{
			name: "size", is: oneOf("auto", "1024x1024", "1536x1024", "1024x1536", "256x256", "512x512", "1792x1024", "1024x1792"),
			take: takeText(func(m *media) *string { return &m.size }),
		},
		{name: "background", is: oneOf("transparent", "opaque", "auto")},
		{name: "output_format", is: oneOf("png", "jpeg", "webp")},
		{name: "output_compression", is: wholeBetween(0, 100)},
		{name: "stream", is: boolean, take: takeStream},
		{name: "partial_images", is: wholeBetween(0, 3), take: takePartials},
		{name: "user", is: &shape{kinds: kString | kNull, most: 512}, take: takeUser},
	}, more...)
}

var (
	imageModeration = field{name: "moderation", is: oneOf("low", "auto")}
	imageResponse   = field{name: "response_format", is: oneOf("b64_json", "url"), take: takeB64}
	imageFidelity   = field{name: "input_fidelity", is: oneOf("high", "low"), take: takeText(func(m *media) *string { return &m.fidelity })}
)

func generationsMembers() []field {
	return drawMembers(imageModeration, imageResponse, field{name: "style", is: oneOf("vivid", "natural")})
}

// editsMembers are those of a body in JSON, editsFields of a form.
func editsMembers() []field {
	return drawMembers(imageModeration, imageFidelity,
		field{name: "images", is: list(imageRef, 1, maxImages), need: true, counts: true},
		field{name: "mask", is: imageRef, counts: true})
}

func editsFields() []field { return drawMembers(imageResponse, imageFidelity) }

var editsFiles = []fileField{{name: "image", need: true, most: maxImages}, {name: "mask"}}

// imageRef is an image by its content or address, or a file of the caller's.
var imageRef = members(
	field{name: "image_url", is: imageURL},
	field{name: "file_id", is: imageFile, take: takeGiven},
)

func speechMembers() []field {
	return []field{
		{name: "model", is: modelName, need: true, take: takeModel},
		{name: "input", is: &shape{kinds: kString, least: 1, check: checkSpoken}, need: true, counts: true},
		{name: "instructions", is: &shape{kinds: kString | kNull, most: 4 * maxSpoken}, take: takeInstructions, counts: true},
		{name: "voice", is: &shape{kinds: kString | kObject, least: 1, check: checkVoice}, need: true},
		{name: "response_format", is: oneOf("mp3", "opus", "aac", "flac", "wav", "pcm")},
		{name: "speed", is: between(0.25, 4)},
		{name: "stream_format", is: oneOf("sse", "audio"), take: takeStreamFormat},
	}
}

var recordingFile = []fileField{{name: "file", need: true}}

var shortText = &shape{kinds: kString, most: 1024}

// maxWords bounds lists of words that help to understand a recording.
const maxWords = 256

func transcriptionFields() []field {
	return []field{
		{name: "model", is: modelName, need: true, take: takeModel},
		{name: "language", is: shortText},
		{name: "languages", is: list(shortText, 1, maxWords)},
		{name: "keywords", is: list(shortText, 0, maxWords), counts: true},
		{name: "prompt", is: &shape{kinds: kString, most: maxPrompt}, counts: true},
		{name: "response_format", is: oneOf("json", "text", "srt", "verbose_json", "vtt", "diarized_json"), take: takeFormat},
		{name: "temperature", is: between(0, 1)},
		{name: "include", is: list(exactly("logprobs"), 0, 8)},
		{name: "timestamp_granularities", is: list(oneOf("word", "segment"), 0, 2)},
		{name: "stream", is: boolean, take: takeStream},
		{name: "chunking_strategy", is: or(exactly("auto"), members(
			field{name: "type", is: exactly("server_vad"), need: true},
			field{name: "prefix_padding_ms", is: integer},
			field{name: "silence_duration_ms", is: integer},
			field{name: "threshold", is: number},
		))},
		{name: "known_speaker_names", is: list(shortText, 0, 4), counts: true},
		{name: "known_speaker_references", is: list(&shape{kinds: kString, check: checkSample}, 0, 4), take: takeSpeakers},
	}
}

func translationFields() []field {
	return []field{
		{name: "model", is: modelName, need: true, take: takeModel},
		{name: "prompt", is: &shape{kinds: kString, most: maxPrompt}, counts: true},
		{name: "response_format", is: oneOf("json", "text", "srt", "verbose_json", "vtt"), take: takeFormat},
		{name: "temperature", is: between(0, 1)},
	}
}
