package openai

// What may come back of files, uploads and vector stores.

var fileMembers = []answerMember{
	{name: "id", is: aString, need: true, do: madeObject},
	{name: "object", is: aExactly("file"), need: true},
	{name: "bytes", is: aNumber, need: true},
	{name: "created_at", is: aNumber, need: true},
	{name: "expires_at", is: aNumber},
	{name: "filename", is: aString, need: true},
	{name: "purpose", is: aString, need: true},
	{name: "status", is: aText, fill: `"processed"`},
	// What went wrong with a file is about the caller's own content.
	{name: "status_details", is: aText},
}

var fileAnswer = &answerObject{fileMembers}

// uploadedFile is the file that an upload became.
var uploadedFile = aObject(append([]answerMember{
	{name: "id", is: aString, need: true, do: madeFile},
}, fileMembers[1:]...)...)

var uploadAnswer = &answerObject{[]answerMember{
	{name: "id", is: aString, need: true, do: madeObject},
	{name: "object", is: aExactly("upload"), fill: `"upload"`},
	{name: "bytes", is: aNumber, need: true},
	{name: "created_at", is: aNumber, need: true},
	{name: "expires_at", is: aNumber, need: true},
	{name: "filename", is: aString, need: true},
	{name: "purpose", is: aString, need: true},
	{name: "status", is: aString, need: true},
	{name: "file", is: uploadedFile, fill: "null"},
}}

var uploadPartAnswer = &answerObject{[]answerMember{
	{name: "id", is: aString, need: true, do: madeObject},
	{name: "object", is: aExactly("upload.part"), need: true},
	{name: "created_at", is: aNumber, need: true},
	{name: "upload_id", is: aString, need: true},
}}

var fileCounts = answerMember{name: "file_counts", need: true, is: aObject(
	answerMember{name: "in_progress", is: aNumber},
	answerMember{name: "completed", is: aNumber},
	answerMember{name: "failed", is: aNumber},
	answerMember{name: "cancelled", is: aNumber},
	answerMember{name: "total", is: aNumber},
)}

var vectorStoreAnswer = &answerObject{[]answerMember{
	{name: "id", is: aString, need: true, do: madeObject},
	{name: "object", is: aExactly("vector_store"), need: true},
	{name: "created_at", is: aNumber, need: true},
	{name: "name", is: aText, fill: `""`},
	{name: "description", is: aText},
	{name: "usage_bytes", is: aNumber, need: true},
	fileCounts,
	{name: "status", is: aString, need: true},
	{name: "expires_after", is: aObject(
		answerMember{name: "anchor", is: aString},
		answerMember{name: "days", is: aNumber},
	)},
	{name: "expires_at", is: aNumber, fill: "null"},
	{name: "last_active_at", is: aNumber, fill: "null"},
	{name: "metadata", is: aVerbatim, do: ownMetadata, fill: "{}"},
}}

var storeFileAnswer = &answerObject{[]answerMember{
	{name: "id", is: aString, need: true},
	{name: "object", is: aExactly("vector_store.file"), need: true},
	{name: "created_at", is: aNumber, need: true},
	{name: "usage_bytes", is: aNumber, need: true},
	{name: "vector_store_id", is: aString, need: true},
	{name: "status", is: aString, need: true},
	{name: "last_error", fill: "null", is: aObject(
		answerMember{name: "code", is: aText},
		answerMember{name: "message", is: aText},
	)},
	{name: "chunking_strategy", is: aTyped(
		aType("static", answerMember{name: "static", need: true, is: aObject(
			answerMember{name: "max_chunk_size_tokens", is: aNumber},
			answerMember{name: "chunk_overlap_tokens", is: aNumber},
		)}),
		aType("other"),
	)},
	{name: "attributes", is: aVerbatim},
}}

var storeFilesAnswer = &answerObject{[]answerMember{
	{name: "object", is: aExactly("list"), need: true},
	{name: "data", need: true, is: &answer{kinds: kArray, elem: &answer{kinds: kObject, object: storeFileAnswer}}},
	{name: "first_id", is: aText, fill: "null"},
	{name: "last_id", is: aText, fill: "null"},
	{name: "has_more", is: aBool, need: true},
}}

var fileBatchAnswer = &answerObject{[]answerMember{
	{name: "id", is: aString, need: true, do: madeObject},
	{name: "object", is: &answer{kinds: kString}, need: true},
	{name: "created_at", is: aNumber, need: true},
	{name: "vector_store_id", is: aString, need: true},
	{name: "status", is: aString, need: true},
	fileCounts,
}}

// foundText is a piece of a file.
var foundText = aTyped(aType("text", answerMember{name: "text", is: aString, need: true}))

var storeContentAnswer = &answerObject{[]answerMember{
	{name: "object", is: aExactly("vector_store.file_content.page"), need: true},
	{name: "data", need: true, is: &answer{kinds: kArray, elem: foundText}},
	{name: "has_more", is: aBool, need: true},
	{name: "next_page", is: aText, fill: "null"},
}}

var searchAnswer = &answerObject{[]answerMember{
	{name: "object", is: aExactly("vector_store.search_results.page"), need: true},
	{name: "search_query", is: aStrings, need: true},
	{name: "data", need: true, is: &answer{kinds: kArray, elem: &answer{kinds: kObject, object: &answerObject{[]answerMember{
		{name: "file_id", is: aString, need: true},
		{name: "filename", is: aString, need: true},
		{name: "score", is: aNumber, need: true},
		{name: "attributes", is: aVerbatim, fill: "null"},
		{name: "content", need: true, is: &answer{kinds: kArray, elem: foundText}},
	}}}}},
	{name: "has_more", is: aBool, need: true},
	{name: "next_page", is: aText, fill: "null"},
}}
