package openaitest

import (
	"net/http"
	"strings"
)

// imageSettings are the members that both requests for images have.
type imageSettings struct {
	Background        *string `json:"background"`
	Model             *string `json:"model"`
	Moderation        *string `json:"moderation"`
	N                 *int64  `json:"n"`
	OutputCompression *int64  `json:"output_compression"`
	OutputFormat      *string `json:"output_format"`
	PartialImages     *int64  `json:"partial_images"`
	Prompt            *string `json:"prompt"`
	Quality           *string `json:"quality"`
	Size              *string `json:"size"`
	Stream            *bool   `json:"stream"`
	User              *string `json:"user"`
}

// createImage is the body of POST /v1/images/generations.
type createImage struct {
	imageSettings
	ResponseFormat *string `json:"response_format"`
	Style          *string `json:"style"`
}

// editImage is the JSON body of POST /v1/images/edits.
type editImage struct {
	imageSettings
	Images        *[]imageRef `json:"images"`
	InputFidelity *string     `json:"input_fidelity"`
	Mask          *imageRef   `json:"mask"`
}

type imageRef struct {
	FileID   string `json:"file_id"`
	ImageURL string `json:"image_url"`
}

func imageRoutes() []route {
	return []route{
		{http.MethodPost, "/images/generations", mediaJSON, serveCreateImage},
		{http.MethodPost, "/images/edits", mediaEither, serveEditImage},
	}
}

func serveCreateImage(x *exchange) error {
	var req createImage
	if e := decode(x.body, &req); e != nil {
		return e
	}
	def := "dall-e-2"
	if req.onlyNew() != "" {
		def = "gpt-image-1"
	}
	return x.serveImages(&imageRun{x: x, set: req.imageSettings, format: req.ResponseFormat, style: req.Style, event: "image_generation"}, def)
}

func serveEditImage(x *exchange) error {
	g := &imageRun{x: x, event: "image_edit"}
	read := g.readEditJSON
	if len(x.form.parts) > 0 || x.form.wrong {
		read = g.readEditForm
	}
	if e := read(); e != nil {
		return e
	}
	if g.inputs > 16 {
		return badRequest("image", "array_above_max_length", "Invalid 'image': at most 16 images can be edited, but got %d.", g.inputs)
	}
	return x.serveImages(g, "gpt-image-1.5")
}

func (g *imageRun) readEditJSON() *apiError {
	var req editImage
	if e := decode(g.x.body, &req); e != nil {
		return e
	}
	if req.Images == nil {
		return missing("images")
	}
	if len(*req.Images) == 0 {
		return badRequest("images", "empty_array", "Invalid 'images': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	}
	refs := *req.Images
	names := make([]string, len(refs))
	for i := range refs {
		names[i] = paramAt("images", i)
	}
	if req.Mask != nil {
		refs, names = append(refs, *req.Mask), append(names, "mask")
	}
	for i, r := range refs {
		if (r.FileID == "") == (r.ImageURL == "") {
			return badRequest(names[i], "invalid_value", "'%s' has either 'image_url' or 'file_id'.", names[i])
		}
		if r.FileID == "" {
			continue
		}
		if _, e := g.x.file(r.FileID); e != nil {
			e.Param = names[i] + ".file_id"
			return e
		}
	}
	g.set, g.fidelity = req.imageSettings, req.InputFidelity
	g.inputs = len(*req.Images)
	return nil
}

func (g *imageRun) readEditForm() *apiError {
	f, e := g.x.readForm([]string{"image"}, "prompt", "mask", "background", "model", "n", "size", "response_format", "output_format",
		"output_compression", "user", "input_fidelity", "stream", "partial_images", "quality")
	if e != nil {
		return e
	}
	for _, p := range f.parts {
		if name := base(p.Name); name == "image" || name == "mask" {
			if p.FileName == "" {
				return badRequest(name, "invalid_type", "Invalid type for '%s': expected a file, but got a string instead.", name)
			}
			if !strings.HasPrefix(http.DetectContentType(p.data), "image/") {
				return badRequest(name, "invalid_image_file", "Invalid image file or mode for %s, please check your image file.", name)
			}
			if name == "image" {
				g.inputs++
			}
		}
	}
	if g.inputs == 0 {
		return missing("image")
	}
	s := &g.set
	s.Prompt, s.Background, s.Model, s.Size, s.User = f.text("prompt"), f.text("background"), f.text("model"), f.text("size"), f.text("user")
	s.OutputFormat, s.Quality = f.text("output_format"), f.text("quality")
	g.format, g.fidelity = f.text("response_format"), f.text("input_fidelity")
	for name, to := range map[string]**int64{"n": &s.N, "output_compression": &s.OutputCompression, "partial_images": &s.PartialImages} {
		if *to, e = f.integer(name); e != nil {
			return e
		}
	}
	streamed, e := f.boolean("stream")
	s.Stream = &streamed
	return e
}

// onlyNew names a member that was given and that the models before gpt-image do not
// know.
func (s *imageSettings) onlyNew() string {
	switch {
	case s.Background != nil:
		return "background"
	case s.Moderation != nil:
		return "moderation"
	case s.OutputCompression != nil:
		return "output_compression"
	case s.OutputFormat != nil:
		return "output_format"
	case s.PartialImages != nil:
		return "partial_images"
	case s.Stream != nil && *s.Stream:
		return "stream"
	}
	return ""
}

// serveImages answers once the request is read.
func (x *exchange) serveImages(g *imageRun, defaultModel string) error {
	m, e := x.model(orElse(g.set.Model, defaultModel), draws)
	if e != nil {
		return e
	}
	g.model, g.modern = m, strings.Contains(m.id, "gpt-image")
	if e := g.check(); e != nil {
		return e
	}
	if err := x.generated(*g.set.Prompt); err != nil {
		return err
	}
	g.begin()
	if orElse(g.set.Stream, false) {
		return g.stream()
	}
	return g.answer()
}

func (g *imageRun) check() *apiError {
	s := &g.set
	if s.Prompt == nil || *s.Prompt == "" {
		return missing("prompt")
	}
	if e := firstProblem(
		atLeast("n", s.N, 1), atMost("n", s.N, 10),
		atLeast("partial_images", s.PartialImages, 0), atMost("partial_images", s.PartialImages, 3),
		atLeast("output_compression", s.OutputCompression, 0), atMost("output_compression", s.OutputCompression, 100),
		oneOf("background", s.Background, "transparent", "opaque", "auto"),
		oneOf("moderation", s.Moderation, "low", "auto"),
		oneOf("output_format", s.OutputFormat, "png", "jpeg", "webp"),
		oneOf("response_format", g.format, "url", "b64_json"),
		oneOf("input_fidelity", g.fidelity, "high", "low"),
		oneOf("style", g.style, "vivid", "natural"),
	); e != nil {
		return e
	}
	if g.modern {
		return g.checkModern()
	}
	return g.checkOlder()
}

func unknownFor(param string) *apiError {
	return badRequest(param, "unknown_parameter", "Unknown parameter: '%s'.", param)
}

func (g *imageRun) checkModern() *apiError {
	switch {
	case g.format != nil:
		return unknownFor("response_format")
	case g.style != nil:
		return unknownFor("style")
	}
	return firstProblem(
		shortEnough("prompt", g.set.Prompt, 32_000),
		oneOf("quality", g.set.Quality, "low", "medium", "high", "auto"),
		oneOf("size", g.set.Size, "1024x1024", "1024x1536", "1536x1024", "auto"),
	)
}

func (g *imageRun) checkOlder() *apiError {
	if name := g.set.onlyNew(); name != "" {
		return unknownFor(name)
	}
	if g.fidelity != nil {
		return unknownFor("input_fidelity")
	}
	if g.model.id == "dall-e-3" {
		return firstProblem(
			shortEnough("prompt", g.set.Prompt, 4000), atMost("n", g.set.N, 1),
			oneOf("quality", g.set.Quality, "standard", "hd", "auto"),
			oneOf("size", g.set.Size, "1024x1024", "1792x1024", "1024x1792", "auto"),
		)
	}
	if g.style != nil {
		return unknownFor("style")
	}
	return firstProblem(
		shortEnough("prompt", g.set.Prompt, 1000), oneOf("quality", g.set.Quality, "standard", "auto"),
		oneOf("size", g.set.Size, "256x256", "512x512", "1024x1024", "auto"),
	)
}
