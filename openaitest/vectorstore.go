package openaitest

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// vectorStore is a vector store as it is kept. Its files are there at once for
// searches, but say that they are in progress for the first half of
// [Options.Background].
type vectorStore struct {
	id       string
	created  int64
	active   int64
	name     string
	metadata map[string]string
	expires  *storeExpiry
	files    []*storeFile
	batches  []storeBatch
}

// storeFile is a file in a vector store.
type storeFile struct {
	id         string
	batch      string
	created    int64
	ready      time.Time
	canceled   bool
	bytes      int64
	attributes jsontext.Value
	chunking   jsontext.Value
}

type storeBatch struct {
	id       string
	created  int64
	canceled bool
	files    []string
}

type storeExpiry struct {
	Anchor string `json:"anchor"`
	Days   int64  `json:"days"`
}

type storeObject struct {
	ID           string            `json:"id"`
	Object       string            `json:"object"`
	CreatedAt    int64             `json:"created_at"`
	Name         string            `json:"name"`
	UsageBytes   int64             `json:"usage_bytes"`
	FileCounts   fileCounts        `json:"file_counts"`
	Status       string            `json:"status"`
	ExpiresAfter *storeExpiry      `json:"expires_after,omitzero"`
	ExpiresAt    *int64            `json:"expires_at"`
	LastActiveAt int64             `json:"last_active_at"`
	Metadata     map[string]string `json:"metadata"`
	Extra        string            `json:"x_account,omitzero"`
}

type fileCounts struct {
	InProgress int `json:"in_progress"`
	Completed  int `json:"completed"`
	Failed     int `json:"failed"`
	Canceled   int `json:"cancelled"`
	Total      int `json:"total"`
}

// createStore and updateStore are bodies of requests.
type createStore struct {
	ChunkingStrategy jsontext.Value    `json:"chunking_strategy"`
	Description      *string           `json:"description"`
	ExpiresAfter     *storeExpiry      `json:"expires_after"`
	FileIDs          []string          `json:"file_ids"`
	Metadata         map[string]string `json:"metadata"`
	Name             *string           `json:"name"`
}

type updateStore struct {
	ExpiresAfter *storeExpiry       `json:"expires_after"`
	Metadata     *map[string]string `json:"metadata"`
	Name         *string            `json:"name"`
}

func storeRoutes() []route {
	return []route{
		{http.MethodPost, "/vector_stores", mediaJSON, serveCreateStore},
		{http.MethodGet, "/vector_stores", mediaNone, serveStores},
		{http.MethodGet, "/vector_stores/{id}", mediaNone, serveStore},
		{http.MethodPost, "/vector_stores/{id}", mediaJSON, serveUpdateStore},
		{http.MethodDelete, "/vector_stores/{id}", mediaNone, serveDeleteStore},
		{http.MethodPost, "/vector_stores/{id}/search", mediaJSON, serveSearch},
		{http.MethodPost, "/vector_stores/{id}/files", mediaJSON, serveAddFile},
		{http.MethodGet, "/vector_stores/{id}/files", mediaNone, serveStoreFiles},
		{http.MethodGet, "/vector_stores/{id}/files/{id}", mediaNone, serveStoreFile},
		{http.MethodPost, "/vector_stores/{id}/files/{id}", mediaJSON, serveUpdateStoreFile},
		{http.MethodDelete, "/vector_stores/{id}/files/{id}", mediaNone, serveRemoveFile},
		{http.MethodGet, "/vector_stores/{id}/files/{id}/content", mediaNone, serveStoreContent},
		{http.MethodPost, "/vector_stores/{id}/file_batches", mediaJSON, serveCreateBatch},
		{http.MethodGet, "/vector_stores/{id}/file_batches/{id}", mediaNone, serveBatch},
		{http.MethodPost, "/vector_stores/{id}/file_batches/{id}/cancel", mediaNone, serveCancelBatch},
		{http.MethodGet, "/vector_stores/{id}/file_batches/{id}/files", mediaNone, serveBatchFiles},
	}
}

func unknownStore(id string) *apiError {
	return notFound("", "Vector store with id '%s' not found.", id)
}

func (x *exchange) store() (*vectorStore, *apiError) {
	v, ok := x.sim.memory.stores.get(x.ids[0])
	if !ok {
		return nil, unknownStore(x.ids[0])
	}
	return v, nil
}

// changeStore replaces the store of the path by what f makes of a copy.
func (x *exchange) changeStore(f func(v *vectorStore)) (*vectorStore, *apiError) {
	v, ok := x.sim.memory.stores.change(x.ids[0], func(v *vectorStore) (*vectorStore, int64) {
		changed := *v
		changed.active = x.sim.now().Unix()
		f(&changed)
		return &changed, int64(256 * (len(changed.files) - len(v.files)))
	})
	if !ok {
		return nil, unknownStore(x.ids[0])
	}
	return v, nil
}

func (f *storeFile) status() string {
	switch {
	case f.canceled:
		return "cancelled"
	case time.Now().Before(f.ready):
		return "in_progress"
	}
	return "completed"
}

func countsOf(files []*storeFile) fileCounts {
	c := fileCounts{Total: len(files)}
	for _, f := range files {
		switch f.status() {
		case "cancelled":
			c.Canceled++
		case "in_progress":
			c.InProgress++
		default:
			c.Completed++
		}
	}
	return c
}

func (v *vectorStore) object(x *exchange) storeObject {
	o := storeObject{
		ID: v.id, Object: "vector_store", CreatedAt: v.created, Name: v.name, FileCounts: countsOf(v.files), Status: "completed",
		ExpiresAfter: v.expires, LastActiveAt: v.active, Metadata: v.metadata, Extra: x.extra(),
	}
	for _, f := range v.files {
		o.UsageBytes += f.bytes
	}
	if o.FileCounts.InProgress > 0 {
		o.Status = "in_progress"
	}
	if v.expires != nil {
		at := v.active + v.expires.Days*24*60*60
		if o.ExpiresAt = &at; at <= x.sim.now().Unix() {
			o.Status = "expired"
		}
	}
	return o
}

func (e *storeExpiry) check() *apiError {
	if e == nil {
		return nil
	}
	return firstProblem(
		oneOfOrMissing("expires_after.anchor", e.Anchor, "last_active_at"),
		atLeast("expires_after.days", &e.Days, 1), atMost("expires_after.days", &e.Days, 365),
	)
}

func serveCreateStore(x *exchange) error {
	var req createStore
	if len(x.body) > 0 {
		if e := decode(x.body, &req); e != nil {
			return e
		}
	}
	if e := firstProblem(checkMetadata(req.Metadata), req.ExpiresAfter.check(), checkChunking(req.ChunkingStrategy), tooMany("file_ids", len(req.FileIDs), 500)); e != nil {
		return e
	}
	now := x.sim.now().Unix()
	v := &vectorStore{
		id: x.sim.ids.hex("vs_", 32), created: now, active: now, name: orElse(req.Name, ""), metadata: orEmpty(req.Metadata), expires: req.ExpiresAfter,
	}
	for _, id := range req.FileIDs {
		f, e := x.newStoreFile(addFile{FileID: id, ChunkingStrategy: req.ChunkingStrategy})
		if e != nil {
			return e
		}
		v.files = append(v.files, f)
	}
	x.sim.memory.stores.put(v.id, v, int64(1024+256*len(v.files)))
	return x.deliver(v.object(x))
}

func tooMany(param string, n, most int) *apiError {
	if n <= most {
		return nil
	}
	return badRequest(param, "array_above_max_length", "Invalid '%s': array too long. Expected an array with maximum length %d, but got an array with length %d instead.", param, most, n)
}

// checkChunking knows the strategies "auto" and "static".
func checkChunking(raw jsontext.Value) *apiError {
	if !present(raw) {
		return nil
	}
	var c struct {
		Type   string `json:"type"`
		Static *struct {
			Size    *int64 `json:"max_chunk_size_tokens"`
			Overlap *int64 `json:"chunk_overlap_tokens"`
		} `json:"static"`
	}
	if e := decode(raw, &c); e != nil {
		e.Param = "chunking_strategy"
		return e
	}
	if e := oneOfOrMissing("chunking_strategy.type", c.Type, "auto", "static"); e != nil || c.Type == "auto" {
		return e
	}
	if c.Static == nil || c.Static.Size == nil || c.Static.Overlap == nil {
		return missing("chunking_strategy.static")
	}
	return firstProblem(
		atLeast("chunking_strategy.static.max_chunk_size_tokens", c.Static.Size, 100), atMost("chunking_strategy.static.max_chunk_size_tokens", c.Static.Size, 4096),
		atLeast("chunking_strategy.static.chunk_overlap_tokens", c.Static.Overlap, 0), atMost("chunking_strategy.static.chunk_overlap_tokens", c.Static.Overlap, *c.Static.Size/2),
	)
}

// checkAttributes holds a file's attributes to OpenAI's bounds.
func checkAttributes(raw jsontext.Value, param string) *apiError {
	if !present(raw) {
		return nil
	}
	var m map[string]jsontext.Value
	if json.Unmarshal(raw, &m) != nil {
		return badRequest(param, "invalid_type", "Invalid type for '%s': expected an object.", param)
	}
	if len(m) > 16 {
		return badRequest(param, "object_above_max_properties", "Invalid '%s': too many properties. Expected an object with at most 16 properties, but got an object with %d properties instead.", param, len(m))
	}
	for k, v := range m {
		kind := v.Kind()
		if len(k) > 64 || len(textOf(v)) > 512 || kind == '{' || kind == '[' || kind == 'n' {
			return badRequest(param, "invalid_value", "Invalid '%s': names of at most 64 characters, and texts of at most 512, numbers or booleans were expected.", param)
		}
	}
	return nil
}

func serveStores(x *exchange) error {
	p, _, e := x.paging(usualPaging("before"))
	if e != nil {
		return e
	}
	return deliverPage(x, p, x.sim.memory.stores.all(), func(v *vectorStore) string { return v.id }, func(v *vectorStore) any { return v.object(x) })
}

func serveStore(x *exchange) error {
	if _, e := x.query(); e != nil {
		return e
	}
	v, e := x.store()
	if e != nil {
		return e
	}
	return x.deliver(v.object(x))
}

func serveUpdateStore(x *exchange) error {
	var req updateStore
	if e := decode(x.body, &req); e != nil {
		return e
	}
	if e := firstProblem(checkMetadata(orElse(req.Metadata, nil)), req.ExpiresAfter.check()); e != nil {
		return e
	}
	v, e := x.changeStore(func(v *vectorStore) {
		v.name = orElse(req.Name, v.name)
		v.metadata = orElse(req.Metadata, v.metadata)
		if req.ExpiresAfter != nil {
			v.expires = req.ExpiresAfter
		}
	})
	if e != nil {
		return e
	}
	return x.deliver(v.object(x))
}

func serveDeleteStore(x *exchange) error {
	if !x.sim.memory.stores.remove(x.ids[0]) {
		return unknownStore(x.ids[0])
	}
	return x.deliver(deletedObject{ID: x.ids[0], Object: "vector_store.deleted", Deleted: true, Extra: x.extra()})
}

// file finds a file of the store.
func (v *vectorStore) file(id string) (*storeFile, *apiError) {
	i := slices.IndexFunc(v.files, func(f *storeFile) bool { return f.id == id })
	if i < 0 {
		return nil, notFound("", "No file found with id '%s' in vector store '%s'.", id, v.id)
	}
	return v.files[i], nil
}
