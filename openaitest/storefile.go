package openaitest

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

type storeFileObject struct {
	ID            string         `json:"id"`
	Object        string         `json:"object"`
	CreatedAt     int64          `json:"created_at"`
	UsageBytes    int64          `json:"usage_bytes"`
	VectorStoreID string         `json:"vector_store_id"`
	Status        string         `json:"status"`
	LastError     any            `json:"last_error"`
	Chunking      jsontext.Value `json:"chunking_strategy"`
	Attributes    jsontext.Value `json:"attributes"`
	Extra         string         `json:"x_account,omitzero"`
}

type batchObject struct {
	ID            string     `json:"id"`
	Object        string     `json:"object"`
	CreatedAt     int64      `json:"created_at"`
	VectorStoreID string     `json:"vector_store_id"`
	Status        string     `json:"status"`
	FileCounts    fileCounts `json:"file_counts"`
	Extra         string     `json:"x_account,omitzero"`
}

type contentPage struct {
	Object   string        `json:"object"`
	Data     []contentText `json:"data"`
	HasMore  bool          `json:"has_more"`
	NextPage *string       `json:"next_page"`
	Extra    string        `json:"x_account,omitzero"`
}

type contentText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// addFile, updateStoreFile and createBatch are bodies of requests.
type addFile struct {
	Attributes       jsontext.Value `json:"attributes"`
	ChunkingStrategy jsontext.Value `json:"chunking_strategy"`
	FileID           string         `json:"file_id"`
}

type updateStoreFile struct {
	Attributes jsontext.Value `json:"attributes"`
}

type createBatch struct {
	Attributes       jsontext.Value `json:"attributes"`
	ChunkingStrategy jsontext.Value `json:"chunking_strategy"`
	FileIDs          []string       `json:"file_ids"`
	Files            []addFile      `json:"files"`
}

// newStoreFile makes the entry for a file, which must be one of the account's.
func (x *exchange) newStoreFile(req addFile) (*storeFile, *apiError) {
	if req.FileID == "" {
		return nil, missing("file_id")
	}
	if e := firstProblem(checkAttributes(req.Attributes, "attributes"), checkChunking(req.ChunkingStrategy)); e != nil {
		return nil, e
	}
	f, e := x.file(req.FileID)
	if e != nil {
		e.Param = "file_id"
		return nil, e
	}
	chunking := jsontext.Value(`{"type":"static","static":{"max_chunk_size_tokens":800,"chunk_overlap_tokens":400}}`)
	if given := req.ChunkingStrategy; present(given) {
		var m members
		if decodePart(given, &m, "chunking_strategy") == nil {
			if kind, _ := m.get("type"); textOf(kind) == "static" {
				chunking = given
			}
		}
	}
	attributes := jsontext.Value("{}")
	if present(req.Attributes) {
		attributes = req.Attributes
	}
	return &storeFile{
		id: req.FileID, created: x.sim.now().Unix(), ready: time.Now().Add(x.sim.runs / 2), bytes: f.object.Bytes,
		attributes: attributes, chunking: chunking,
	}, nil
}

func (f *storeFile) object(x *exchange, store string) any {
	return storeFileObject{
		ID: f.id, Object: "vector_store.file", CreatedAt: f.created, UsageBytes: f.bytes, VectorStoreID: store, Status: f.status(),
		Chunking: f.chunking, Attributes: f.attributes, Extra: x.extra(),
	}
}

// with returns the store's files with those added; one that was there is replaced.
func (v *vectorStore) with(added ...*storeFile) []*storeFile {
	kept := slices.DeleteFunc(slices.Clone(v.files), func(f *storeFile) bool {
		return slices.ContainsFunc(added, func(a *storeFile) bool { return a.id == f.id })
	})
	return append(kept, added...)
}

func serveAddFile(x *exchange) error {
	if _, e := x.store(); e != nil {
		return e
	}
	var req addFile
	if e := decode(x.body, &req); e != nil {
		return e
	}
	f, e := x.newStoreFile(req)
	if e != nil {
		return e
	}
	if _, e := x.changeStore(func(v *vectorStore) { v.files = v.with(f) }); e != nil {
		return e
	}
	return x.deliver(f.object(x, x.ids[0]))
}

func (x *exchange) deliverFiles(files func(*vectorStore) ([]*storeFile, *apiError)) error {
	p, q, e := x.paging(usualPaging("before", "filter"))
	if e != nil {
		return e
	}
	filter := q.Get("filter")
	if e := oneOf("filter", &filter, "in_progress", "completed", "failed", "cancelled"); q.Has("filter") && e != nil {
		return e
	}
	v, e := x.store()
	if e != nil {
		return e
	}
	all, e := files(v)
	if e != nil {
		return e
	}
	var fit []*storeFile
	for _, f := range all {
		if filter == "" || f.status() == filter {
			fit = append(fit, f)
		}
	}
	return deliverPage(x, p, fit, func(f *storeFile) string { return f.id }, func(f *storeFile) any { return f.object(x, v.id) })
}

func serveStoreFiles(x *exchange) error {
	return x.deliverFiles(func(v *vectorStore) ([]*storeFile, *apiError) { return v.files, nil })
}

// storeFile finds the store and the file of the path.
func (x *exchange) storeFile() (*vectorStore, *storeFile, *apiError) {
	v, e := x.store()
	if e != nil {
		return nil, nil, e
	}
	f, e := v.file(x.ids[1])
	return v, f, e
}

func serveStoreFile(x *exchange) error {
	v, f, e := x.storeFile()
	if e != nil {
		return e
	}
	return x.deliver(f.object(x, v.id))
}

func serveUpdateStoreFile(x *exchange) error {
	var req updateStoreFile
	if e := decode(x.body, &req); e != nil {
		return e
	}
	if req.Attributes == nil {
		return missing("attributes")
	}
	if e := checkAttributes(req.Attributes, "attributes"); e != nil {
		return e
	}
	_, f, e := x.storeFile()
	if e != nil {
		return e
	}
	changed := *f
	changed.attributes = req.Attributes
	if _, e := x.changeStore(func(v *vectorStore) {
		v.files = slices.Clone(v.files)
		for i := range v.files {
			if v.files[i].id == f.id {
				v.files[i] = &changed
			}
		}
	}); e != nil {
		return e
	}
	return x.deliver(changed.object(x, x.ids[0]))
}

func serveRemoveFile(x *exchange) error {
	if _, _, e := x.storeFile(); e != nil {
		return e
	}
	if _, e := x.changeStore(func(v *vectorStore) {
		v.files = slices.DeleteFunc(slices.Clone(v.files), func(f *storeFile) bool { return f.id == x.ids[1] })
	}); e != nil {
		return e
	}
	return x.deliver(deletedObject{ID: x.ids[1], Object: "vector_store.file.deleted", Deleted: true, Extra: x.extra()})
}

func serveStoreContent(x *exchange) error {
	_, f, e := x.storeFile()
	if e != nil {
		return e
	}
	kept, e := x.file(f.id)
	if e != nil {
		return e
	}
	page := contentPage{Object: "vector_store.file_content.page", Data: []contentText{}, Extra: x.extra()}
	for _, c := range chunks(kept.data) {
		page.Data = append(page.Data, contentText{"text", c})
	}
	return x.deliver(page)
}

func serveCreateBatch(x *exchange) error {
	if _, e := x.store(); e != nil {
		return e
	}
	var req createBatch
	if e := decode(x.body, &req); e != nil {
		return e
	}
	if (len(req.FileIDs) == 0) == (len(req.Files) == 0) {
		return badRequest("file_ids", "missing_required_parameter", "Exactly one of 'file_ids' and 'files' is required.")
	}
	if e := firstProblem(tooMany("file_ids", len(req.FileIDs), 2000), tooMany("files", len(req.Files), 2000)); e != nil {
		return e
	}
	for _, id := range req.FileIDs {
		req.Files = append(req.Files, addFile{Attributes: req.Attributes, ChunkingStrategy: req.ChunkingStrategy, FileID: id})
	}
	b := storeBatch{id: x.sim.ids.hex("vsfb_", 32), created: x.sim.now().Unix()}
	var added []*storeFile
	for _, r := range req.Files {
		f, e := x.newStoreFile(r)
		if e != nil {
			return e
		}
		f.batch = b.id
		added, b.files = append(added, f), append(b.files, f.id)
	}
	v, e := x.changeStore(func(v *vectorStore) {
		v.files, v.batches = v.with(added...), append(slices.Clip(v.batches), b)
	})
	if e != nil {
		return e
	}
	return x.deliver(v.batchObject(x, b))
}

func (v *vectorStore) batch(id string) (storeBatch, *apiError) {
	i := slices.IndexFunc(v.batches, func(b storeBatch) bool { return b.id == id })
	if i < 0 {
		return storeBatch{}, notFound("", "No file batch found with id '%s' in vector store '%s'.", id, v.id)
	}
	return v.batches[i], nil
}

func (v *vectorStore) batchFiles(id string) []*storeFile {
	var out []*storeFile
	for _, f := range v.files {
		if f.batch == id {
			out = append(out, f)
		}
	}
	return out
}

func (v *vectorStore) batchObject(x *exchange, b storeBatch) batchObject {
	o := batchObject{
		ID: b.id, Object: "vector_store.files_batch", CreatedAt: b.created, VectorStoreID: v.id, Status: "completed",
		FileCounts: countsOf(v.batchFiles(b.id)), Extra: x.extra(),
	}
	switch {
	case b.canceled:
		o.Status = "cancelled"
	case o.FileCounts.InProgress > 0:
		o.Status = "in_progress"
	}
	return o
}

func serveBatch(x *exchange) error {
	v, e := x.store()
	if e != nil {
		return e
	}
	b, e := v.batch(x.ids[1])
	if e != nil {
		return e
	}
	return x.deliver(v.batchObject(x, b))
}

// serveCancelBatch cancels what of a batch is not done yet.
func serveCancelBatch(x *exchange) error {
	v, e := x.store()
	if e != nil {
		return e
	}
	b, e := v.batch(x.ids[1])
	if e != nil {
		return e
	}
	if v.batchObject(x, b).Status != "in_progress" {
		return badRequest("", "", "File batch %s is not in progress.", b.id)
	}
	b.canceled = true
	v, e = x.changeStore(func(v *vectorStore) {
		v.files, v.batches = slices.Clone(v.files), slices.Clone(v.batches)
		for i, f := range v.files {
			if f.batch == b.id && f.status() == "in_progress" {
				changed := *f
				changed.canceled = true
				v.files[i] = &changed
			}
		}
		for i := range v.batches {
			if v.batches[i].id == b.id {
				v.batches[i] = b
			}
		}
	})
	if e != nil {
		return e
	}
	return x.deliver(v.batchObject(x, b))
}

func serveBatchFiles(x *exchange) error {
	return x.deliverFiles(func(v *vectorStore) ([]*storeFile, *apiError) {
		_, e := v.batch(x.ids[1])
		return v.batchFiles(x.ids[1]), e
	})
}
