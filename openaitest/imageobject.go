package openaitest

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
)

// webpPixel is one pixel in lossless WebP, which the standard library cannot write.
const webpPixel = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="

// partialTokens is what a partial image costs besides the whole one.
const partialTokens = 100

// imageRun is an answer with images as it comes about.
type imageRun struct {
	x        *exchange
	set      imageSettings
	format   *string // url or b64_json
	style    *string
	fidelity *string
	inputs   int    // images to edit
	event    string // what its events begin with
	model    modelInfo
	modern   bool
	created  int64
	usage    *imageUsage
}

type imagesObject struct {
	Created      int64         `json:"created"`
	Background   string        `json:"background,omitzero"`
	Data         []imageObject `json:"data"`
	OutputFormat string        `json:"output_format,omitzero"`
	Quality      string        `json:"quality,omitzero"`
	Size         string        `json:"size,omitzero"`
	Usage        *imageUsage   `json:"usage,omitzero"`
	Extra        string        `json:"x_account,omitzero"`
}

type imageObject struct {
	B64           string `json:"b64_json,omitzero"`
	URL           string `json:"url,omitzero"`
	RevisedPrompt string `json:"revised_prompt,omitzero"`
}

type imageUsage struct {
	InputTokens   int64        `json:"input_tokens"`
	InputDetails  imageTokens  `json:"input_tokens_details"`
	OutputTokens  int64        `json:"output_tokens"`
	OutputDetails *imageTokens `json:"output_tokens_details,omitzero"`
	TotalTokens   int64        `json:"total_tokens"`
}

type imageTokens struct {
	ImageTokens int64 `json:"image_tokens"`
	TextTokens  int64 `json:"text_tokens"`
}

// imageEvent is a partial image or, with usage, a whole one.
type imageEvent struct {
	Type         string      `json:"type"`
	B64          string      `json:"b64_json"`
	CreatedAt    int64       `json:"created_at"`
	Size         string      `json:"size"`
	Quality      string      `json:"quality"`
	Background   string      `json:"background"`
	OutputFormat string      `json:"output_format"`
	PartialIndex *int        `json:"partial_image_index,omitzero"`
	Usage        *imageUsage `json:"usage,omitzero"`
	Extra        string      `json:"x_account,omitzero"`
}

// failureEvent ends a stream of images or sound that fails.
type failureEvent struct {
	Type  string      `json:"type"`
	Error errorObject `json:"error"`
}

func (g *imageRun) count() int { return int(orElse(g.set.N, 1)) }

// chosen is a setting, or what "auto" comes to.
func chosen(v *string, auto string) string {
	if v == nil || *v == "auto" {
		return auto
	}
	return *v
}

func (g *imageRun) size() string    { return chosen(g.set.Size, "1024x1024") }
func (g *imageRun) quality() string { return chosen(g.set.Quality, "medium") }

// begin charges the input and reckons the usage: the models before gpt-image are
// billed by image, and have none.
func (g *imageRun) begin() {
	g.created = g.x.sim.now().Unix()
	if !g.modern {
		return
	}
	var a ask
	a.count(*g.set.Prompt)
	in := imageTokens{TextTokens: a.tokens, ImageTokens: 194 * int64(g.inputs)}
	if orElse(g.fidelity, "") == "high" {
		in.ImageTokens += 4160 * int64(g.inputs)
	}
	g.x.progress.usage.Input = in.TextTokens + in.ImageTokens
	out := int64(g.count()) * g.imageTokens()
	if orElse(g.set.Stream, false) {
		out += partialTokens * orElse(g.set.PartialImages, 0)
	}
	g.usage = &imageUsage{
		InputTokens: in.TextTokens + in.ImageTokens, InputDetails: in, OutputTokens: out,
		OutputDetails: &imageTokens{ImageTokens: out}, TotalTokens: in.TextTokens + in.ImageTokens + out,
	}
}

// imageTokens are OpenAI's for one image.
func (g *imageRun) imageTokens() int64 {
	square, upright, wide := int64(1056), int64(1584), int64(1568)
	switch g.quality() {
	case "low":
		square, upright, wide = 272, 408, 400
	case "high":
		square, upright, wide = 4160, 6240, 6208
	}
	switch g.size() {
	case "1024x1536":
		return upright
	case "1536x1024":
		return wide
	}
	return square
}

func (g *imageRun) shownUsage() *imageUsage {
	if g.x.fault.Kind == NoUsage {
		return nil
	}
	return g.usage
}

// answer sends the plain form.
func (g *imageRun) answer() error {
	o := imagesObject{Created: g.created, Data: []imageObject{}, Usage: g.shownUsage(), Extra: g.x.extra()}
	if g.modern {
		o.Background, o.OutputFormat = chosen(g.set.Background, "opaque"), orElse(g.set.OutputFormat, "png")
		o.Quality, o.Size = g.quality(), g.size()
		g.x.progress.usage.Output = g.usage.OutputTokens
	}
	for i := range g.count() {
		o.Data = append(o.Data, g.image(i))
	}
	return g.x.deliver(o)
}

func (g *imageRun) image(i int) imageObject {
	var o imageObject
	if g.model.id == "dall-e-3" {
		o.RevisedPrompt = "A picture: " + *g.set.Prompt
	}
	if g.modern || orElse(g.format, "url") == "b64_json" {
		o.B64 = g.picture(i)
		return o
	}
	o.URL = "https://images.openaitest.invalid/private/" + g.x.sim.organization + "/" + g.x.sim.ids.base62("img-", 24) + ".png"
	return o
}

// picture is a small picture of one colour, in base64.
func (g *imageRun) picture(i int) string {
	format := orElse(g.set.OutputFormat, "png")
	if format == "webp" {
		return webpPixel
	}
	h := hashOf(*g.set.Prompt, itoa(i))
	img := image.NewRGBA(image.Rect(0, 0, 1, 1))
	img.Set(0, 0, color.RGBA{byte(h), byte(h >> 8), byte(h >> 16), 255})
	var b bytes.Buffer
	if format == "jpeg" {
		_ = jpeg.Encode(&b, img, nil) // a bytes.Buffer takes everything
	} else {
		_ = png.Encode(&b, img) // as above
	}
	out := base64.StdEncoding.EncodeToString(b.Bytes())
	if g.x.fault.Kind == Huge {
		return hugeMark + out
	}
	return out
}

// stream sends the partial images that were asked for, then the whole ones.
func (g *imageRun) stream() error {
	st, err := g.x.openStream(func() (string, any) { return "error", failureEvent{"error", g.x.serverError().object()} })
	if err != nil {
		return err
	}
	used := &g.x.progress.usage
	for i := range int(orElse(g.set.PartialImages, 0)) {
		if err := g.x.pause(g.x.delta); err != nil {
			return err
		}
		ev := g.newEvent(".partial_image", -1-i)
		ev.PartialIndex = &i
		if err := st.event(ev.Type, ev); err != nil {
			return err
		}
		used.Output += partialTokens
	}
	for i := range g.count() {
		if err := g.x.pause(g.x.delta); err != nil {
			return err
		}
		ev := g.newEvent(".completed", i)
		ev.Usage = g.shownUsage()
		send := st.event
		if i == g.count()-1 {
			send = st.last
		}
		used.Output += g.imageTokens()
		if err := send(ev.Type, ev); err != nil {
			return err
		}
	}
	return nil
}

func (g *imageRun) newEvent(kind string, i int) imageEvent {
	return imageEvent{
		Type: g.event + kind, B64: g.picture(i), CreatedAt: g.created, Size: g.size(), Quality: g.quality(),
		Background: chosen(g.set.Background, "opaque"), OutputFormat: orElse(g.set.OutputFormat, "png"), Extra: g.x.extra(),
	}
}
