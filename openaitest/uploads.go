package openaitest

import (
	"crypto/md5" //nolint:gosec // OpenAI's checksum of an upload
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
)

// uploadTime is how long an upload may take, in seconds.
const uploadTime = 3600

// uploadObject is an upload as answers have it.
type uploadObject struct {
	ID        string      `json:"id"`
	Object    string      `json:"object"`
	Bytes     int64       `json:"bytes"`
	CreatedAt int64       `json:"created_at"`
	ExpiresAt int64       `json:"expires_at"`
	Filename  string      `json:"filename"`
	Purpose   string      `json:"purpose"`
	Status    string      `json:"status"`
	File      *fileObject `json:"file,omitzero"`
	Extra     string      `json:"x_account,omitzero"`
}

// upload is an upload as it is kept.
type upload struct {
	object uploadObject
	after  *expiresAfter
	parts  map[string][]byte
}

type uploadPart struct {
	ID        string `json:"id"`
	Object    string `json:"object"`
	CreatedAt int64  `json:"created_at"`
	UploadID  string `json:"upload_id"`
	Extra     string `json:"x_account,omitzero"`
}

// createUpload and completeUpload are bodies of requests.
type createUpload struct {
	Bytes        *int64        `json:"bytes"`
	ExpiresAfter *expiresAfter `json:"expires_after"`
	Filename     string        `json:"filename"`
	MimeType     string        `json:"mime_type"`
	Purpose      string        `json:"purpose"`
}

type completeUpload struct {
	MD5     string    `json:"md5"`
	PartIDs *[]string `json:"part_ids"`
}

func uploadRoutes() []route {
	return []route{
		{http.MethodPost, "/uploads", mediaJSON, serveCreateUpload},
		{http.MethodPost, "/uploads/{id}/parts", mediaForm, serveAddPart},
		{http.MethodPost, "/uploads/{id}/complete", mediaJSON, serveCompleteUpload},
		{http.MethodPost, "/uploads/{id}/cancel", mediaNone, serveCancelUpload},
	}
}

func serveCreateUpload(x *exchange) error {
	var req createUpload
	if e := decode(x.body, &req); e != nil {
		return e
	}
	if req.Bytes == nil {
		return missing("bytes")
	}
	if req.Filename == "" {
		return missing("filename")
	}
	if req.MimeType == "" {
		return missing("mime_type")
	}
	if e := firstProblem(
		oneOfOrMissing("purpose", req.Purpose, "assistants", "batch", "fine-tune", "vision", "user_data"),
		atLeast("bytes", req.Bytes, 1), atMost("bytes", req.Bytes, 8<<30),
		req.ExpiresAfter.check(),
	); e != nil {
		return e
	}
	now := x.sim.now().Unix()
	u := &upload{after: req.ExpiresAfter, object: uploadObject{
		ID: x.sim.ids.hex("upload_", 32), Object: "upload", Bytes: *req.Bytes, CreatedAt: now, ExpiresAt: now + uploadTime,
		Filename: req.Filename, Purpose: req.Purpose, Status: "pending",
	}}
	x.sim.memory.uploads.put(u.object.ID, u, 1024)
	return x.deliver(u.show(x))
}

func (u *upload) show(x *exchange) uploadObject {
	o := u.object
	o.Extra = x.extra()
	return o
}

// pending finds an upload that still takes parts.
func (x *exchange) pending() (*upload, *apiError) {
	id := x.ids[0]
	u, ok := x.sim.memory.uploads.get(id)
	if !ok {
		return nil, notFound("upload_id", "No such Upload object: %s", id)
	}
	status := u.object.Status
	if status == "pending" && u.object.ExpiresAt <= x.sim.now().Unix() {
		status = "expired"
	}
	if status != "pending" {
		return nil, badRequest("upload_id", "", "Upload %s is %s and takes no changes.", id, status)
	}
	return u, nil
}

func serveAddPart(x *exchange) error {
	if _, e := x.pending(); e != nil {
		return e
	}
	f, e := x.readForm(nil, "data")
	if e != nil {
		return e
	}
	data, e := f.file("data")
	if e != nil {
		return e
	}
	part := uploadPart{
		ID: x.sim.ids.hex("part_", 32), Object: "upload.part", CreatedAt: x.sim.now().Unix(), UploadID: x.ids[0], Extra: x.extra(),
	}
	x.sim.memory.uploads.change(x.ids[0], func(u *upload) (*upload, int64) {
		changed := *u
		changed.parts = map[string][]byte{part.ID: data.data}
		maps.Copy(changed.parts, u.parts)
		return &changed, data.Size
	})
	return x.deliver(part)
}

func serveCompleteUpload(x *exchange) error {
	u, e := x.pending()
	if e != nil {
		return e
	}
	var req completeUpload
	if e := decode(x.body, &req); e != nil {
		return e
	}
	if req.PartIDs == nil {
		return missing("part_ids")
	}
	var whole []byte
	for i, id := range *req.PartIDs {
		d, ok := u.parts[id]
		if !ok || slices.Contains((*req.PartIDs)[:i], id) {
			return badRequest(paramAt("part_ids", i), "invalid_value", "Part '%s' is not one of upload %s, or is named twice.", id, u.object.ID)
		}
		whole = append(whole, d...)
	}
	if int64(len(whole)) != u.object.Bytes {
		return badRequest("part_ids", "", "Upload %s was created for %d bytes, but its parts have %d.", u.object.ID, u.object.Bytes, len(whole))
	}
	sum := md5.Sum(whole) //nolint:gosec // as above
	if req.MD5 != "" && req.MD5 != hex.EncodeToString(sum[:]) {
		return badRequest("md5", "invalid_value", "The checksum of the parts is another one.")
	}
	made := x.keepFile(u.object.Filename, u.object.Purpose, whole, u.after)
	made.Extra = ""
	return x.endUpload("completed", &made)
}

func (x *exchange) endUpload(status string, made *fileObject) error {
	u, ok := x.sim.memory.uploads.change(x.ids[0], func(u *upload) (*upload, int64) {
		changed := *u
		changed.object.Status, changed.object.File, changed.parts = status, made, nil
		freed := int64(0)
		for _, d := range u.parts {
			freed -= int64(len(d))
		}
		return &changed, freed
	})
	if !ok {
		return notFound("upload_id", "No such Upload object: %s", x.ids[0])
	}
	return x.deliver(u.show(x))
}

func serveCancelUpload(x *exchange) error {
	if _, e := x.pending(); e != nil {
		return e
	}
	return x.endUpload("cancelled", nil)
}
