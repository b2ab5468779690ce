package openai

import (
	"strings"

	"claviger.dev/claviger/internal/jsonx"
)

// purpose says what a file is for. Those that start work of their own (batches,
// fine-tuning, evaluations) are not let through.
var purpose = &shape{kinds: kString, least: 1, check: func(w *walker, v jsonx.Value) error {
	if v.Is("user_data") || v.Is("assistants") || v.Is("vision") {
		return nil
	}
	return w.refuse("", whyPurpose)
}}

// Bounds of files (OpenAI): how long one may be kept, in seconds, and the bytes
// of one that comes in parts, and how many those are here.
const (
	minFileSeconds = 3600
	maxFileSeconds = 30 * 24 * 3600
	maxUpload      = 512 << 20
	maxUploadParts = 64
)

var fileExpiry = orNull(members(
	field{name: "anchor", is: exactly("created_at"), need: true},
	field{name: "seconds", is: bounded(minFileSeconds, maxFileSeconds), need: true},
))

// anyMedia is every class of content that a file may have. It is passed on as an
// attachment.
var anyMedia = []string{"application/*", "text/*", "image/*", "audio/*", "video/*", "font/*"}

// fileRows are the endpoints of files. A caller reaches those that they brought.
var fileRows = []*Row{
	{
		Name: "files.create", Method: post, Path: "/files",
		form: &object{fields: []field{
			{name: "purpose", is: purpose, need: true},
			{name: "expires_after", is: fileExpiry},
		}},
		files:  []fileField{{name: "file", need: true}},
		answer: whole(fileAnswer), makes: KindFile, always: true, modelless: true, input: "file",
	},
	{
		Name: "files.list", Method: get, Path: "/files", Query: append([]string{"purpose"}, pageQuery...),
		Lists: KindFile, ReadBy: "files.retrieve", modelless: true,
	},
	{
		Name: "files.retrieve", Method: get, Path: "/files/{file_id}",
		ids: []string{KindFile}, answer: whole(fileAnswer), modelless: true,
	},
	{
		Name: "files.delete", Method: del, Path: "/files/{file_id}", Deletes: true,
		ids: []string{KindFile}, answer: whole(deletedAnswer), modelless: true,
	},
	{
		Name: "files.content", Method: get, Path: "/files/{file_id}/content",
		ids: []string{KindFile}, media: anyMedia, modelless: true,
	},
}

// uploadRows are the endpoints of files that come in parts.
var uploadRows = []*Row{
	{
		Name: "uploads.create", Method: post, Path: "/uploads",
		object: &object{fields: []field{
			{name: "filename", is: anyString, need: true, take: takeFileName},
			{name: "purpose", is: purpose, need: true},
			{name: "bytes", is: bounded(1, maxUpload), need: true},
			{name: "mime_type", is: anyString, need: true, take: takeFileType},
			{name: "expires_after", is: fileExpiry},
		}},
		answer: whole(uploadAnswer), makes: KindUpload, always: true, modelless: true, input: "filename",
	},
	{
		Name: "uploads.parts", Method: post, Path: "/uploads/{upload_id}/parts",
		form: &object{}, files: []fileField{{name: "data", need: true}},
		ids: []string{KindUpload}, answer: whole(uploadPartAnswer), makes: KindUploadPart, always: true, modelless: true, input: "data",
	},
	{
		Name: "uploads.complete", Method: post, Path: "/uploads/{upload_id}/complete",
		object: &object{fields: []field{
			{name: "part_ids", is: list(reference(KindUploadPart), 1, maxUploadParts), need: true},
			{name: "md5", is: &shape{kinds: kString | kNull, most: 64}},
		}},
		ids: []string{KindUpload}, answer: whole(uploadAnswer), makesFile: true, always: true, modelless: true, input: "part_ids",
	},
	{
		Name: "uploads.cancel", Method: post, Path: "/uploads/{upload_id}/cancel",
		ids: []string{KindUpload}, answer: whole(uploadAnswer), modelless: true,
	},
}

// takeFileName writes a name as it is sent with a file: what needs no quoting.
func takeFileName(w *walker, f *field, v jsonx.Value) error {
	if v.Kind() != jsonx.KindString {
		return w.write(f, v)
	}
	return w.write(f, jsonx.String(fileName(v.Str())))
}

func takeFileType(w *walker, f *field, v jsonx.Value) error {
	if v.Kind() != jsonx.KindString {
		return w.write(f, v)
	}
	return w.write(f, jsonx.String(fileType(strings.TrimSpace(v.Str()))))
}
