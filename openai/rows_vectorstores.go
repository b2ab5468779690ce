package openai

import "claviger.dev/claviger/internal/jsonx"

// storePage is the query of lists of vector stores and of what is in them.
var storePage = []string{"after", "before", "limit", "order"}

// maxStoreDays is the longest that a store may be kept unused (OpenAI).
const maxStoreDays = 365

var storeExpiry = orNull(members(
	field{name: "anchor", is: exactly("last_active_at"), need: true},
	field{name: "days", is: bounded(1, maxStoreDays), need: true},
))

// chunking bounds the pieces into which a file is cut, and so what one result of
// a search brings to the input of a call.
var chunking = orNull(tagged("type",
	variant{name: "auto", object: onlyType},
	variant{name: "static", object: &object{fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "static", need: true, is: members(
			field{name: "max_chunk_size_tokens", is: bounded(100, maxChunkTokens), need: true},
			field{name: "chunk_overlap_tokens", is: bounded(0, maxChunkTokens/2), need: true},
		)},
	}}},
))

// attributes are the caller's own words about a file (OpenAI's bounds).
var attributes = &shape{kinds: kObject | kNull, most: 16, each: &shape{kinds: kString | kNumber | kBool, most: 512}}

// storeQuery is what is searched for.
var storeQuery = or(&shape{kinds: kString, least: 1}, list(&shape{kinds: kString, least: 1}, 1, 16))

// vectorStoreRows are the endpoints of vector stores.
var vectorStoreRows = []*Row{
	{
		Name: "vector_stores.create", Method: post, Path: "/vector_stores",
		object: &object{fields: []field{
			{name: "name", is: &shape{kinds: kString | kNull, most: 256}},
			{name: "description", is: &shape{kinds: kString | kNull, most: 512}},
			{name: "file_ids", is: list(reference(KindFile), 0, maxRefs)},
			{name: "chunking_strategy", is: chunking},
			{name: "expires_after", is: storeExpiry},
			{name: "metadata", is: metadata, take: takeMetadata},
		}},
		answer: whole(vectorStoreAnswer), makes: KindVectorStore, always: true, modelless: true, input: "file_ids",
	},
	{
		Name: "vector_stores.list", Method: get, Path: "/vector_stores", Query: storePage,
		Lists: KindVectorStore, ReadBy: "vector_stores.retrieve", modelless: true,
	},
	{
		Name: "vector_stores.retrieve", Method: get, Path: "/vector_stores/{vector_store_id}",
		ids: []string{KindVectorStore}, answer: whole(vectorStoreAnswer), modelless: true,
	},
	{
		Name: "vector_stores.update", Method: post, Path: "/vector_stores/{vector_store_id}",
		object: &object{fields: []field{
			{name: "name", is: &shape{kinds: kString | kNull, most: 256}},
			{name: "expires_after", is: storeExpiry},
			{name: "metadata", is: metadata, take: takeMetadata},
		}},
		ids: []string{KindVectorStore}, answer: whole(vectorStoreAnswer), modelless: true, input: "metadata",
	},
	{
		Name: "vector_stores.delete", Method: del, Path: "/vector_stores/{vector_store_id}", Deletes: true,
		ids: []string{KindVectorStore}, answer: whole(deletedAnswer), modelless: true,
	},
	{
		Name: "vector_stores.search", Method: post, Path: "/vector_stores/{vector_store_id}/search",
		object: &object{fields: []field{
			{name: "query", is: storeQuery, need: true, counts: true},
			{name: "rewrite_query", is: boolean, take: takeRewrite},
			{name: "max_num_results", is: bounded(1, maxResults)},
			{name: "filters", is: filters},
			{name: "ranking_options", is: ranking},
		}},
		ids: []string{KindVectorStore}, answer: whole(searchAnswer), modelless: true, input: "query",
	},
}

// takeRewrite refuses to have a model rewrite the query: nobody says what that
// costs.
func takeRewrite(w *walker, f *field, v jsonx.Value) error {
	if v.Bool() {
		return w.refuse("", whyUnpriced)
	}
	return w.write(f, v)
}

// storedFile are the members of a file that is put into a store.
var storedFile = []field{
	{name: "file_id", is: reference(KindFile), need: true},
	{name: "chunking_strategy", is: chunking},
	{name: "attributes", is: attributes},
}

// storeFileRows are the endpoints of the files in a vector store. In paths, too,
// a file is one of the caller's.
var storeFileRows = []*Row{
	{
		Name: "vector_stores.files.create", Method: post, Path: "/vector_stores/{vector_store_id}/files",
		object: &object{fields: storedFile},
		ids:    []string{KindVectorStore}, answer: whole(storeFileAnswer), modelless: true, input: "file_id",
	},
	{
		Name: "vector_stores.files.list", Method: get, Path: "/vector_stores/{vector_store_id}/files",
		Query: append([]string{"filter"}, storePage...),
		ids:   []string{KindVectorStore}, answer: whole(storeFilesAnswer), modelless: true,
	},
	{
		Name: "vector_stores.files.retrieve", Method: get, Path: "/vector_stores/{vector_store_id}/files/{file_id}",
		ids: []string{KindVectorStore, KindFile}, answer: whole(storeFileAnswer), modelless: true,
	},
	{
		Name: "vector_stores.files.update", Method: post, Path: "/vector_stores/{vector_store_id}/files/{file_id}",
		object: &object{fields: []field{{name: "attributes", is: attributes, need: true}}},
		ids:    []string{KindVectorStore, KindFile}, answer: whole(storeFileAnswer), modelless: true, input: "attributes",
	},
	{
		Name: "vector_stores.files.delete", Method: del, Path: "/vector_stores/{vector_store_id}/files/{file_id}",
		ids: []string{KindVectorStore, KindFile}, answer: whole(deletedAnswer), modelless: true,
	},
	{
		Name: "vector_stores.files.content", Method: get, Path: "/vector_stores/{vector_store_id}/files/{file_id}/content",
		ids: []string{KindVectorStore, KindFile}, answer: whole(storeContentAnswer), modelless: true,
	},
	{
		Name: "vector_stores.file_batches.create", Method: post, Path: "/vector_stores/{vector_store_id}/file_batches",
		object: &object{fields: []field{
			{name: "file_ids", is: list(reference(KindFile), 1, maxRefs)},
			{name: "files", is: list(&shape{kinds: kObject, object: &object{fields: storedFile}}, 1, maxRefs)},
			{name: "chunking_strategy", is: chunking},
			{name: "attributes", is: attributes},
		}},
		ids: []string{KindVectorStore}, answer: whole(fileBatchAnswer), makes: KindFileBatch, always: true, modelless: true, input: "file_ids",
	},
	{
		Name: "vector_stores.file_batches.retrieve", Method: get, Path: "/vector_stores/{vector_store_id}/file_batches/{batch_id}",
		ids: []string{KindVectorStore, KindFileBatch}, answer: whole(fileBatchAnswer), modelless: true,
	},
	{
		Name: "vector_stores.file_batches.cancel", Method: post, Path: "/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel",
		ids: []string{KindVectorStore, KindFileBatch}, answer: whole(fileBatchAnswer), modelless: true,
	},
	{
		Name: "vector_stores.file_batches.files", Method: get, Path: "/vector_stores/{vector_store_id}/file_batches/{batch_id}/files",
		Query: append([]string{"filter"}, storePage...),
		ids:   []string{KindVectorStore, KindFileBatch}, answer: whole(storeFilesAnswer), modelless: true,
	},
}
