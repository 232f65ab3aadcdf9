BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'digits');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MINIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_system_attributes" VALUES(1,1,'study:metric_names','["val_loss"]');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'fingerprint','{"config": {"trainer": {"max_epochs": 9, "accelerator": "cpu"}, "model": {"class_path": "digits.DigitsCNN", "init_args": {"hidden": 16}}, "data": {"class_path": "digits.DigitsData", "init_args": {"batch_size": 32}}}, "space": {"lr": {"low": 0.0001, "high": 0.1, "log": true, "type": "float"}, "schedule": {"choices": ["linear", "cosine", "wsd"]}, "warmup": {"low": 0.0, "high": 0.1, "log": false, "type": "float"}, "cooldown": {"low": 0.1, "high": 0.5, "log": false, "type": "float", "when": {"schedule": ["wsd"]}}}, "seed": 7, "monitor": "val_loss", "mode": "min", "pruner": {"name": "hyperband", "eta": 3, "min_steps": null, "pause": true}, "sampler": "tpe"}');
INSERT INTO "study_user_attributes" VALUES(2,1,'id','"aeb856d34a384d208f06f85ee11c2976"');
INSERT INTO "study_user_attributes" VALUES(3,1,'folder','"{folder}/autolr_runs/digits"');
INSERT INTO "study_user_attributes" VALUES(4,1,'driver','null');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,44,1.32434085011482238769e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,1,132,3.53012792766094207763e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,2,132,3.30557793378829956054e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,3,44,2.92004972696304321289e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,5,44,2.45384365320205688476e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,6,132,5.57440742850303649902e-02,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'lr',9.02500192056689271025e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(2,1,'schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["linear", "cosine", "wsd"]}}');
INSERT INTO "trial_params" VALUES(3,1,'warmup',9.32993394775884915537e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO "trial_params" VALUES(4,2,'lr',6.23958240006313629225e-04,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(5,2,'schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["linear", "cosine", "wsd"]}}');
INSERT INTO "trial_params" VALUES(6,2,'warmup',8.65275064910876190449e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO "trial_params" VALUES(7,3,'lr',7.46667184125791583149e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(8,3,'schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["linear", "cosine", "wsd"]}}');
INSERT INTO "trial_params" VALUES(9,3,'warmup',0.0201197757056103,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO "trial_params" VALUES(10,4,'lr',5.82322284397269150646e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(11,4,'schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["linear", "cosine", "wsd"]}}');
INSERT INTO "trial_params" VALUES(12,4,'warmup',7.2342505733605746987e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO "trial_params" VALUES(13,5,'lr',3.35212782448727911535e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(14,5,'schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["linear", "cosine", "wsd"]}}');
INSERT INTO "trial_params" VALUES(15,5,'warmup',7.54847976128741604551e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO "trial_params" VALUES(16,6,'lr',4.48877640267651631389e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(17,6,'schedule',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["linear", "cosine", "wsd"]}}');
INSERT INTO "trial_params" VALUES(18,6,'warmup',6.87485558306809435569e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO "trial_params" VALUES(19,6,'cooldown',2.95622624101129827245e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.1, "high": 0.5, "log": false}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'bracket','0');
INSERT INTO "trial_user_attributes" VALUES(2,1,'candidate','"cb0fa3aeb250"');
INSERT INTO "trial_user_attributes" VALUES(3,1,'promoted','132');
INSERT INTO "trial_user_attributes" VALUES(4,1,'steps','396');
INSERT INTO "trial_user_attributes" VALUES(5,1,'run_steps','396');
INSERT INTO "trial_user_attributes" VALUES(6,1,'seconds','2.796');
INSERT INTO "trial_user_attributes" VALUES(7,1,'metrics','{"train_loss": 0.002916854340583086, "val_loss": 0.035999275743961334, "val_acc": 0.9916434288024902}');
INSERT INTO "trial_user_attributes" VALUES(8,1,'found','{"rule": "fixed", "peak": 0.09025001920566893, "schedule": {"kind": "chain", "parts": [{"kind": "warmup", "span": 0.09329933947758849, "start": null}, {"kind": "linear", "final": 0.0}]}, "settings": {}}');
INSERT INTO "trial_user_attributes" VALUES(9,2,'bracket','1');
INSERT INTO "trial_user_attributes" VALUES(10,2,'candidate','"ffd8a43b4240"');
INSERT INTO "trial_user_attributes" VALUES(11,2,'promoted','132');
INSERT INTO "trial_user_attributes" VALUES(12,2,'steps','396');
INSERT INTO "trial_user_attributes" VALUES(13,2,'run_steps','396');
INSERT INTO "trial_user_attributes" VALUES(14,2,'seconds','5.559');
INSERT INTO "trial_user_attributes" VALUES(15,2,'metrics','{"train_loss": 0.12348948419094086, "val_loss": 0.13093386590480804, "val_acc": 0.9805014133453369}');
INSERT INTO "trial_user_attributes" VALUES(16,2,'found','{"rule": "fixed", "peak": 0.0006239582400063136, "schedule": {"kind": "chain", "parts": [{"kind": "warmup", "span": 0.08652750649108762, "start": null}, {"kind": "linear", "final": 0.0}]}, "settings": {}}');
INSERT INTO "trial_user_attributes" VALUES(17,3,'bracket','0');
INSERT INTO "trial_user_attributes" VALUES(18,3,'candidate','"63dffe3a6914"');
INSERT INTO "trial_user_attributes" VALUES(19,3,'steps','44');
INSERT INTO "trial_user_attributes" VALUES(20,3,'run_steps','396');
INSERT INTO "trial_user_attributes" VALUES(21,3,'seconds','0.839');
INSERT INTO "trial_user_attributes" VALUES(22,3,'metrics','{"train_loss": 0.3357436954975128, "val_loss": 0.35275301337242126, "val_acc": 0.8997214436531067}');
INSERT INTO "trial_user_attributes" VALUES(23,3,'found','{"rule": "fixed", "peak": 0.07466671841257916, "schedule": {"kind": "chain", "parts": [{"kind": "warmup", "span": 0.0201197757056103, "start": null}, {"kind": "linear", "final": 0.0}]}, "settings": {}}');
INSERT INTO "trial_user_attributes" VALUES(24,4,'bracket','2');
INSERT INTO "trial_user_attributes" VALUES(25,4,'candidate','"bd35097c4f8e"');
INSERT INTO "trial_user_attributes" VALUES(26,4,'steps','396');
INSERT INTO "trial_user_attributes" VALUES(27,4,'run_steps','396');
INSERT INTO "trial_user_attributes" VALUES(28,4,'seconds','4.692');
INSERT INTO "trial_user_attributes" VALUES(29,4,'metrics','{"train_loss": 0.003140116110444069, "val_loss": 0.04653075337409973, "val_acc": 0.9832869172096252}');
INSERT INTO "trial_user_attributes" VALUES(30,4,'found','{"rule": "fixed", "peak": 0.0058232228439726915, "schedule": {"kind": "chain", "parts": [{"kind": "warmup", "span": 0.07234250573360575, "start": null}, {"kind": "linear", "final": 0.0}]}, "settings": {}}');
INSERT INTO "trial_user_attributes" VALUES(31,5,'bracket','0');
INSERT INTO "trial_user_attributes" VALUES(32,5,'candidate','"b3370a39fee7"');
INSERT INTO "trial_user_attributes" VALUES(33,5,'steps','44');
INSERT INTO "trial_user_attributes" VALUES(34,5,'run_steps','396');
INSERT INTO "trial_user_attributes" VALUES(35,5,'seconds','0.806');
INSERT INTO "trial_user_attributes" VALUES(36,5,'metrics','{"train_loss": 0.2013552337884903, "val_loss": 0.39367547631263733, "val_acc": 0.9442896842956543}');
INSERT INTO "trial_user_attributes" VALUES(37,5,'found','{"rule": "fixed", "peak": 0.003352127824487279, "schedule": {"kind": "chain", "parts": [{"kind": "warmup", "span": 0.07548479761287416, "start": null}, {"kind": "linear", "final": 0.0}]}, "settings": {}}');
INSERT INTO "trial_user_attributes" VALUES(38,6,'bracket','1');
INSERT INTO "trial_user_attributes" VALUES(39,6,'candidate','"9afd54180a3b"');
INSERT INTO "trial_user_attributes" VALUES(40,6,'promoted','132');
INSERT INTO "trial_user_attributes" VALUES(41,6,'steps','396');
INSERT INTO "trial_user_attributes" VALUES(42,6,'run_steps','396');
INSERT INTO "trial_user_attributes" VALUES(43,6,'seconds','4.442');
INSERT INTO "trial_user_attributes" VALUES(44,6,'metrics','{"train_loss": 0.004109205678105354, "val_loss": 0.0225679874420166, "val_acc": 0.9944289922714233}');
INSERT INTO "trial_user_attributes" VALUES(45,6,'found','{"rule": "fixed", "peak": 0.04488776402676516, "schedule": {"kind": "chain", "parts": [{"kind": "warmup", "span": 0.06874855583068094, "start": null}, {"kind": "constant"}, {"kind": "cooldown", "span": 0.2956226241011298, "shape": "1-sqrt", "final": null}]}, "settings": {}}');
INSERT INTO "trial_user_attributes" VALUES(46,3,'reason','"not among the best at its rung"');
INSERT INTO "trial_user_attributes" VALUES(47,5,'reason','"not among the best at its rung"');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,3.59992757439613342285e-02,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,1.30933865904808044433e-01,'FINITE');
INSERT INTO "trial_values" VALUES(3,4,0,4.65307533740997314453e-02,'FINITE');
INSERT INTO "trial_values" VALUES(4,6,0,0.0225679874420166,'FINITE');
INSERT INTO "trial_values" VALUES(5,3,0,2.92004972696304321289e-01,'FINITE');
INSERT INTO "trial_values" VALUES(6,5,0,2.45384365320205688476e-01,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-28 17:23:58.889076','2026-11-28 17:24:01.741893');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-28 17:24:01.755246','2026-11-28 17:24:07.416695');
INSERT INTO "trials" VALUES(3,2,1,'PRUNED','2026-11-28 17:24:07.420236','2026-11-28 17:24:18.451817');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-28 17:24:08.311699','2026-11-28 17:24:13.039703');
INSERT INTO "trials" VALUES(5,4,1,'PRUNED','2026-11-28 17:24:13.042830','2026-11-28 17:24:18.464356');
INSERT INTO "trials" VALUES(6,5,1,'COMPLETE','2026-11-28 17:24:13.922890','2026-11-28 17:24:18.429620');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
