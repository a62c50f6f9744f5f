// The handlers of every route; one file for each. `task` is an id or a unique part of one.
#pragma once

#include "server/call.hpp"

#include <string>

namespace pawl::server {

void submit_task(Call call);                                          // POST /v1/tasks
void submit_bulk(Call call);                                          // POST /v1/tasks:bulk
void list_tasks(Call call);                                           // GET  /v1/tasks
void get_task(Call call, std::string task);                           // GET  /v1/tasks/{id}
void get_journal(Call call, std::string task);                        // GET  /v1/tasks/{id}/journal
void get_result(Call call, std::string task);                         // GET  /v1/tasks/{id}/result
void get_why(Call call, std::string task);                            // GET  /v1/tasks/{id}/why
void operate(Call call, std::string task, core::Operate::Verb verb);  // POST /v1/tasks/{id}/{verb}
void operate_on_many(Call call);                                      // POST /v1/tasks:operate
void get_events(Call call);                                           // GET  /v1/events
void list_queues(Call call);                                          // GET  /v1/queues
void set_queue(Call call, std::string name);                          // PUT  /v1/queues/{name}
void make_backup(Call call);                                          // POST /v1/backup
void get_doctor(Call call);                                           // GET  /v1/doctor
void get_version(Call call);                                          // GET  /v1/version

}  // namespace pawl::server
