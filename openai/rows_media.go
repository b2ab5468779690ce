package openai

// Endpoints of images and sound.
const (
	endpointDraw       = "images.generations"
	endpointEdit       = "images.edits"
	endpointSpeech     = "audio.speech"
	endpointTranscribe = "audio.transcriptions"
	endpointTranslate  = "audio.translations"
)

// What sound and a transcript that is no JSON come as.
var (
	soundMedia = []string{"audio/*", "application/octet-stream"}
	textMedia  = []string{"text/plain", "text/vtt", "application/x-subrip"}
)

// mediaRows are the endpoints that draw, speak and listen.
var mediaRows = []*Row{
	{
		Name: endpointDraw, Method: post, Path: "/images/generations", Streams: true, input: "prompt",
		object: &object{fields: generationsMembers()}, answer: whole(imagesAnswer),
		events: imageEvents("image_generation"), bound: boundImages, end: endImages,
	},
	{
		Name: endpointEdit, Method: post, Path: "/images/edits", Streams: true, input: "prompt",
		object: &object{fields: editsMembers()}, form: &object{fields: editsFields()}, files: editsFiles, answer: whole(imagesAnswer),
		events: imageEvents("image_edit"), bound: boundImages, end: endImages,
	},
	{
		Name: endpointSpeech, Method: post, Path: "/audio/speech", Streams: true, input: "input",
		object: &object{fields: speechMembers()}, media: soundMedia, events: speechEvents, bound: boundSpeech,
	},
	{
		Name: endpointTranscribe, Method: post, Path: "/audio/transcriptions", Streams: true, input: "file",
		form: &object{fields: transcriptionFields()}, files: recordingFile, answer: whole(transcriptAnswer), media: textMedia,
		events: transcriptEvents, bound: boundRecording,
	},
	{
		Name: endpointTranslate, Method: post, Path: "/audio/translations", input: "file",
		form: &object{fields: translationFields()}, files: recordingFile, answer: whole(transcriptAnswer), media: textMedia,
		events: transcriptEvents, bound: boundRecording,
	},
}
