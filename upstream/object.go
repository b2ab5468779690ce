package upstream

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"claviger.dev/claviger"
)

// objectPaths are where objects of a kind are deleted. What is missing goes away
// with its parent, or by itself.
var objectPaths = map[string]string{
	"response": "/responses/", "conversation": "/conversations/", "completion": "/chat/completions/", "file": "/files/", "vector_store": "/vector_stores/",
}

// HasObjects reports whether objects of a kind are deleted one by one at the
// provider.
func HasObjects(kind string) bool { return objectPaths[kind] != "" }

// DeleteObject deletes an object of the account with the key of its project, and
// reports whether there was one that the key knew.
func (a *Account) DeleteObject(ctx context.Context, key claviger.Secret, kind, id string) (bool, error) {
	path := objectPaths[kind]
	if path == "" || id == "" || id == "." || id == ".." {
		return false, fmt.Errorf("upstream: no object of kind %q is deleted", kind)
	}
	status, _, _, err := a.ask(ctx, key, question{method: http.MethodDelete, path: path + url.PathEscape(id)})
	switch {
	case err != nil:
		return false, err
	case status == http.StatusOK:
		return true, nil
	case status == http.StatusNotFound:
		return false, nil
	}
	return false, &StatusError{"delete a " + kind, status}
}
