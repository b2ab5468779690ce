package openai

// What may come back of POST /images/… and POST /audio/….

var mediaUsage = aObject(
	answerMember{name: "type", is: aString},
	answerMember{name: "input_tokens", is: aNumber},
	answerMember{name: "input_tokens_details", is: usageDetails},
	answerMember{name: "input_token_details", is: usageDetails},
	answerMember{name: "output_tokens", is: aNumber},
	answerMember{name: "output_tokens_details", is: usageDetails},
	answerMember{name: "total_tokens", is: aNumber},
	answerMember{name: "seconds", is: aNumber},
)

// imageSettings are those that an image was drawn with.
var imageSettings = []answerMember{
	{name: "background", is: aText},
	{name: "output_format", is: aText},
	{name: "size", is: aText},
	{name: "quality", is: aText},
}

// imagesAnswer has no "url": the provider's addresses name the account.
var imagesAnswer = &answerObject{append([]answerMember{
	{name: "created", is: aNumber, need: true},
	{name: "data", need: true, is: &answer{kinds: kArray, elem: whole(&answerObject{[]answerMember{
		{name: "b64_json", is: aString, need: true},
		{name: "revised_prompt", is: aText},
	}})}},
	{name: "usage", do: usage, is: mediaUsage},
}, imageSettings...)}

// imageEvents are those of images that are drawn, by what they begin with.
func imageEvents(name string) *eventTable {
	one := func(kind string, more ...answerMember) responseEvent {
		return mediaEvent(name+kind, append(append([]answerMember{
			{name: "b64_json", is: aString, need: true},
			{name: "created_at", is: aNumber},
		}, imageSettings...), more...)...)
	}
	last := one(".completed", answerMember{name: "usage", do: usage, is: mediaUsage})
	last.end = true
	return &eventTable{named: true, events: []responseEvent{
		one(".partial_image", answerMember{name: "partial_image_index", is: aNumber, need: true}), last,
	}}
}

func mediaEvent(name string, more ...answerMember) responseEvent {
	return responseEvent{name: name, object: &answerObject{append([]answerMember{{name: "type", is: aString, need: true}}, more...)}}
}

func mediaEnd(name string, more ...answerMember) responseEvent {
	e := mediaEvent(name, more...)
	e.end = true
	return e
}

var speechEvents = &eventTable{events: []responseEvent{
	mediaEvent("speech.audio.delta", answerMember{name: "audio", is: aString, need: true}),
	mediaEnd("speech.audio.done", answerMember{name: "usage", do: usage, is: mediaUsage}),
}}

var spans = []answerMember{
	{name: "start", is: aNumber, need: true},
	{name: "end", is: aNumber, need: true},
}

// segment is a piece of a transcript, with its speaker where those are told apart.
var segment = append([]answerMember{
	{name: "id", is: &answer{kinds: kNumber | kString}},
	{name: "seek", is: aNumber},
	{name: "text", is: aString, need: true},
	{name: "tokens", is: aInts},
	{name: "temperature", is: aNumber},
	{name: "avg_logprob", is: aNumber},
	{name: "compression_ratio", is: aNumber},
	{name: "no_speech_prob", is: aNumber},
	{name: "speaker", is: aText},
}, spans...)

var (
	transcriptLogprobs  = answerMember{name: "logprobs", is: aList(logprob)}
	transcriptLanguages = answerMember{name: "languages", is: aList(aObject(
		answerMember{name: "code", is: aString, need: true},
	))}
)

// transcriptAnswer is a transcript in any form of JSON.
var transcriptAnswer = &answerObject{[]answerMember{
	{name: "task", is: aText},
	{name: "language", is: aText},
	transcriptLanguages,
	{name: "duration", is: aNumber},
	{name: "text", is: aString, need: true, do: text},
	{name: "segments", is: aList(aObject(append([]answerMember{{name: "type", is: aText}}, segment...)...))},
	{name: "words", is: aList(aObject(append([]answerMember{{name: "word", is: aString, need: true}}, spans...)...))},
	transcriptLogprobs,
	{name: "usage", do: usage, is: mediaUsage},
}}

var transcriptEvents = &eventTable{events: []responseEvent{
	transcriptDelta(),
	mediaEvent("transcript.text.segment", segment...),
	mediaEnd("transcript.text.done",
		answerMember{name: "text", is: aString, need: true}, transcriptLanguages, transcriptLogprobs,
		answerMember{name: "usage", do: usage, is: mediaUsage}),
}}

func transcriptDelta() responseEvent {
	e := mediaEvent("transcript.text.delta",
		answerMember{name: "delta", is: aString, need: true, do: text}, transcriptLogprobs, answerMember{name: "segment_id", is: aText})
	e.delta = true
	return e
}
