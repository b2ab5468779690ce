package openaitest

import (
	"mime"
	"net/http"
	"slices"
)

// fileObject is a file as answers have it.
type fileObject struct {
	ID            string  `json:"id"`
	Object        string  `json:"object"`
	Bytes         int64   `json:"bytes"`
	CreatedAt     int64   `json:"created_at"`
	ExpiresAt     int64   `json:"expires_at,omitzero"`
	Filename      string  `json:"filename"`
	Purpose       string  `json:"purpose"`
	Status        string  `json:"status"`
	StatusDetails *string `json:"status_details,omitzero"`
	Extra         string  `json:"x_account,omitzero"`
}

// file is a file as it is kept.
type file struct {
	object fileObject
	data   []byte
}

// expiresAfter says when a file goes.
type expiresAfter struct {
	Anchor  string `json:"anchor"`
	Seconds int64  `json:"seconds"`
}

func fileRoutes() []route {
	return []route{
		{http.MethodPost, "/files", mediaForm, serveCreateFile},
		{http.MethodGet, "/files", mediaNone, serveFiles},
		{http.MethodGet, "/files/{id}", mediaNone, serveFile},
		{http.MethodDelete, "/files/{id}", mediaNone, serveDeleteFile},
		{http.MethodGet, "/files/{id}/content", mediaNone, serveFileContent},
	}
}

func unknownFile(id string) *apiError { return notFound("id", "No such File object: %s", id) }

func serveCreateFile(x *exchange) error {
	f, e := x.readForm(nil, "file", "purpose", "expires_after")
	if e != nil {
		return e
	}
	upload, e := f.file("file")
	if e != nil {
		return e
	}
	purpose, e := f.must("purpose")
	if e != nil {
		return e
	}
	if e := oneOf("purpose", &purpose, "assistants", "batch", "fine-tune", "vision", "user_data", "evals"); e != nil {
		return e
	}
	after, e := f.expiresAfter()
	if e != nil {
		return e
	}
	if upload.Size == 0 {
		return badRequest("file", "", "File is empty.")
	}
	return x.deliver(x.keepFile(upload.FileName, purpose, upload.data, after))
}

// expiresAfter reads expires_after[anchor] and expires_after[seconds].
func (f *form) expiresAfter() (*expiresAfter, *apiError) {
	for _, p := range f.parts {
		if base(p.Name) == "expires_after" && p.Name != "expires_after[anchor]" && p.Name != "expires_after[seconds]" {
			return nil, badRequest(p.Name, "unknown_parameter", "Unknown parameter: '%s'.", p.Name)
		}
	}
	anchor := f.text("expires_after[anchor]")
	seconds, e := f.integer("expires_after[seconds]")
	if e != nil || anchor == nil && seconds == nil {
		return nil, e
	}
	after := &expiresAfter{Anchor: orElse(anchor, ""), Seconds: orElse(seconds, 0)}
	return after, after.check()
}

func (a *expiresAfter) check() *apiError {
	if a == nil {
		return nil
	}
	return firstProblem(
		oneOfOrMissing("expires_after.anchor", a.Anchor, "created_at"),
		atLeast("expires_after.seconds", &a.Seconds, 3600), atMost("expires_after.seconds", &a.Seconds, 2592000),
	)
}

func oneOfOrMissing(param, v string, allowed ...string) *apiError {
	if v == "" {
		return missing(param)
	}
	return oneOf(param, &v, allowed...)
}

// keepFile keeps a new file.
func (x *exchange) keepFile(name, purpose string, data []byte, after *expiresAfter) fileObject {
	o := fileObject{
		ID: x.sim.ids.base62("file-", 22), Object: "file", Bytes: int64(len(data)), CreatedAt: x.sim.now().Unix(),
		Filename: name, Purpose: purpose, Status: "processed",
	}
	if after != nil {
		o.ExpiresAt = o.CreatedAt + after.Seconds
	}
	x.sim.memory.files.put(o.ID, &file{o, slices.Clip(data)}, 512+o.Bytes)
	o.Extra = x.extra()
	return o
}

func (x *exchange) file(id string) (*file, *apiError) {
	f, ok := x.sim.memory.files.get(id)
	if !ok || f.object.ExpiresAt > 0 && f.object.ExpiresAt <= x.sim.now().Unix() {
		return nil, unknownFile(id)
	}
	return f, nil
}

func (f *file) show(x *exchange) any {
	o := f.object
	o.Extra = x.extra()
	return o
}

func serveFiles(x *exchange) error {
	p, q, e := x.paging(pagingRules{order: "desc", limit: 10_000, most: 10_000, more: []string{"purpose"}})
	if e != nil {
		return e
	}
	var fit []*file
	for _, f := range x.sim.memory.files.all() {
		if !q.Has("purpose") || f.object.Purpose == q.Get("purpose") {
			fit = append(fit, f)
		}
	}
	return deliverPage(x, p, fit, func(f *file) string { return f.object.ID }, func(f *file) any { return f.show(x) })
}

func serveFile(x *exchange) error {
	if _, e := x.query(); e != nil {
		return e
	}
	f, e := x.file(x.ids[0])
	if e != nil {
		return e
	}
	return x.deliver(f.show(x))
}

func serveDeleteFile(x *exchange) error {
	if !x.sim.memory.files.remove(x.ids[0]) {
		return unknownFile(x.ids[0])
	}
	return x.deliver(deletedObject{ID: x.ids[0], Object: "file", Deleted: true, Extra: x.extra()})
}

// serveFileContent sends a file back, but for the purposes that OpenAI refuses it to.
func serveFileContent(x *exchange) error {
	f, e := x.file(x.ids[0])
	if e != nil {
		return e
	}
	if p := f.object.Purpose; p == "assistants" || p == "user_data" {
		return badRequest("", "", "Not allowed to download files of purpose: %s", p)
	}
	x.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.object.Filename}))
	return x.deliverBody("application/octet-stream", f.data)
}
