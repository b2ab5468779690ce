package openaitest_test

import (
	"bytes"
	"encoding/base64"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"

	"claviger.dev/claviger/openaitest"
)

func draw(more ...any) object {
	return with(object{"prompt": "A quiet street", "model": "gpt-image-1"}, more...)
}

func pictureOf(t *testing.T, o object, i int) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text(at(t, o, "data", i, "b64_json")))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pixel(t *testing.T) string {
	t.Helper()
	srv := newServer(t, openaitest.Options{})
	return string(pictureOf(t, call(t, srv, "/images/generations", draw(), 200), 0))
}

func TestImages(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	o := call(t, srv, "/images/generations", draw("n", 2, "size", "1536x1024", "quality", "high"), 200)
	d.must(t, "ImagesResponse", o)
	if _, err := png.Decode(bytes.NewReader(pictureOf(t, o, 1))); err != nil || len(o["data"].([]any)) != 2 || at(t, o, "usage", "output_tokens") != 2*6208.0 || at(t, o, "usage", "input_tokens_details", "text_tokens") != 4.0 {
		t.Errorf("%v: %v", err, o)
	}
	if u := srv.Units().Total; u.Output != 2*6208 || u.Input != 4 {
		t.Errorf("%+v", u)
	}
	o = call(t, srv, "/images/generations", draw("output_format", "jpeg", "model", nil, "background", "transparent"), 200)
	d.must(t, "ImagesResponse", o)
	if _, err := jpeg.Decode(bytes.NewReader(pictureOf(t, o, 0))); err != nil || o["background"] != "transparent" {
		t.Errorf("%v", err)
	}
	o = call(t, srv, "/images/generations", draw("output_format", "webp"), 200)
	if ct := http.DetectContentType(pictureOf(t, o, 0)); ct != "image/webp" {
		t.Error(ct)
	}
	o = call(t, srv, "/images/generations", object{"prompt": "x"}, 200)
	d.must(t, "ImagesResponse", o)
	if !strings.HasPrefix(text(at(t, o, "data", 0, "url")), "https://") || o["usage"] != nil {
		t.Errorf("%v", o)
	}
	o = call(t, srv, "/images/generations", draw("model", "dall-e-3", "response_format", "b64_json", "style", "natural", "quality", "hd"), 200)
	d.must(t, "ImagesResponse", o)
	if len(pictureOf(t, o, 0)) == 0 || at(t, o, "data", 0, "revised_prompt") == nil {
		t.Errorf("%v", o)
	}
}

func TestImageStreams(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	events := stream(t, srv, "/images/generations", draw("stream", true, "partial_images", 2))
	for i, e := range events {
		schema := "ImageGenPartialImageEvent"
		if i == 2 {
			schema = "ImageGenCompletedEvent"
		}
		d.must(t, schema, e.object(t))
		d.must(t, "ImageGenStreamEvent", e.object(t))
		if e.name != e.object(t)["type"] {
			t.Errorf("%q names %v", e.name, e.object(t)["type"])
		}
	}
	wait(t, srv, openaitest.Ended(1))
	if len(events) != 3 || at(t, events[2].object(t), "usage", "output_tokens") != 1256.0 || srv.Units().Total.Output != 1256 {
		t.Errorf("%v, charged %+v", names(events), srv.Units().Total)
	}
	srv.Inject(mustParse(t, "error-event after=1 times=1"))
	events = stream(t, srv, "/images/generations", draw("stream", true, "partial_images", 2))
	if len(events) != 2 || events[1].name != "error" {
		t.Errorf("%v", names(events))
	}
	wait(t, srv, openaitest.Ended(2))
	if u := srv.Calls()[1].Usage; u.Output != 100 {
		t.Errorf("%+v", u)
	}
}

func TestImageEdits(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	png := pixel(t)
	image := field{name: "image[]", value: png, file: "a.png", ctype: "image/png"}
	prompt := field{name: "prompt", value: "A quiet street"}
	o := post(t, srv, "/images/edits", 200, image, image, prompt, field{name: "n", value: "2"}, field{name: "mask", value: png, file: "m.png"})
	d.must(t, "ImagesResponse", o)
	if len(o["data"].([]any)) != 2 || at(t, o, "usage", "input_tokens_details", "image_tokens") != 388.0 {
		t.Errorf("%v", o)
	}
	resp, b := send(t, formRequest(t, srv, "/images/edits", image, prompt, field{name: "stream", value: "true"}, field{name: "partial_images", value: "1"}))
	events, _ := readEvents(bytes.NewReader(b))
	if resp.StatusCode != 200 || len(events) != 2 {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	d.must(t, "ImageEditPartialImageEvent", events[0].object(t))
	d.must(t, "ImageEditCompletedEvent", events[1].object(t))
	id := idOf(upload(t, srv, "a.png", png, "vision"))
	d.must(t, "ImagesResponse", call(t, srv, "/images/edits", object{"prompt": "x", "images": []any{object{"file_id": id}, object{"image_url": "https://example.com/a.png"}}, "mask": object{"file_id": id}}, 200))
	d.must(t, "ImagesResponse", post(t, srv, "/images/edits", 200, field{name: "image", value: png, file: "a.png"}, prompt, field{name: "model", value: "dall-e-2"}, field{name: "response_format", value: "b64_json"}))
	for name, fields := range map[string][]field{
		"image": {prompt}, "prompt": {image}, "size": {image, prompt, {name: "size", value: "1x1"}}, "owner": {image, prompt, {name: "owner", value: "x"}},
		"n": {image, prompt, {name: "n", value: "many"}}, "stream": {image, prompt, {name: "stream", value: "maybe"}},
		"mask": {image, prompt, {name: "mask", value: "no image", file: "m.png"}},
	} {
		if e := post(t, srv, "/images/edits", 400, fields...); at(t, e, "error", "param") != name {
			t.Errorf("%s: %v", name, e)
		}
	}
	for param, body := range map[string]object{
		"images": {"prompt": "x"}, "images[0]": {"prompt": "x", "images": []any{object{}}}, "images[0].owner": {"prompt": "x", "images": []any{object{"owner": "x"}}},
	} {
		if e := call(t, srv, "/images/edits", body, 400); at(t, e, "error", "param") != param {
			t.Errorf("%s: %v", param, e)
		}
	}
	call(t, srv, "/images/edits", object{"prompt": "x", "images": []any{object{"file_id": "file-x"}}}, 404)
}

func TestImageRefusals(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	for _, r := range []refusal{
		{"no prompt", "", object{"model": "gpt-image-1"}, 400, "missing_required_parameter", "prompt"},
		{"a chat model", "", draw("model", mini), 400, "", "model"},
		{"unknown model", "", draw("model", "gpt-image-0"), 404, "model_not_found", ""},
		{"many", "", draw("n", 11), 400, "integer_above_max_value", "n"},
		{"format", "", draw("response_format", "url"), 400, "unknown_parameter", "response_format"},
		{"style", "", draw("style", "vivid"), 400, "unknown_parameter", "style"},
		{"quality", "", draw("quality", "hd"), 400, "invalid_value", "quality"},
		{"size", "", draw("size", "256x256"), 400, "invalid_value", "size"},
		{"partial", "", draw("partial_images", 4), 400, "integer_above_max_value", "partial_images"},
		{"an older one's stream", "", draw("model", "dall-e-2", "stream", true), 400, "unknown_parameter", "stream"},
		{"an older one's background", "", draw("model", "dall-e-3", "background", "auto"), 400, "unknown_parameter", "background"},
		{"several", "", draw("model", "dall-e-3", "n", 2), 400, "integer_above_max_value", "n"},
		{"long", "", draw("model", "dall-e-2", "prompt", strings.Repeat("x", 1001)), 400, "string_above_max_length", "prompt"},
		{"unknown member", "", draw("owner", "x"), 400, "unknown_parameter", "owner"},
	} {
		e := call(t, srv, "/images/generations", r.body, r.status)["error"].(object)
		if text(e["code"]) != r.code || text(e["param"]) != r.param {
			t.Errorf("%s: want code %q and param %q, got %v", r.name, r.code, r.param, e)
		}
	}
}

func TestOfficialLibraryImages(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	client := sdk(t, srv)
	made, err := client.Images.Generate(t.Context(), openai.ImageGenerateParams{Prompt: "x", Model: "gpt-image-1"})
	if err != nil || made.Data[0].B64JSON == "" || made.Usage.OutputTokens != 1056 {
		t.Fatalf("%v: %+v", err, made)
	}
	events := client.Images.GenerateStreaming(t.Context(), openai.ImageGenerateParams{Prompt: "x", Model: "gpt-image-1", PartialImages: openai.Int(1)})
	n := 0
	for events.Next() {
		n++
	}
	if events.Err() != nil || n != 2 {
		t.Errorf("%d events: %v", n, events.Err())
	}
	edited, err := client.Images.Edit(t.Context(), openai.ImageEditParams{
		Prompt: "x", Model: "gpt-image-1",
		Image: openai.ImageEditParamsImageUnion{OfFileArray: []io.Reader{openai.File(strings.NewReader(pixel(t)), "a.png", "image/png")}},
	})
	if err != nil || edited.Usage.InputTokensDetails.ImageTokens != 194 {
		t.Errorf("%v: %+v", err, edited)
	}
}
